"""The command line: what each command prints, and its one-line errors."""

import re
import signal
import socket
import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import httpx2
import jwt
import psycopg
import pytest
from sqlalchemy import make_url

from app.model import Role
from app.web.callers.tokens import Tokens
from tests.harness.commands import ServeCommand, error_of, output_of, run, start_serve
from tests.harness.databases import PostgresDatabases, SqliteDatabases
from tests.harness.gateway import SECRET, settings_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ("serve", "token", "schema", "migrate")
NEWER = "UPDATE alembic_version SET version_num = '9999'"


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS)], ids=" ".join)
def test_every_command_has_help(tmp_path: Path, command: tuple[str, ...]) -> None:
    text = output_of(tmp_path, *command, "--help")

    assert "Usage: " in text
    assert all(name in text for name in (command or COMMANDS))


def test_the_help_of_serve_describes_its_options(tmp_path: Path) -> None:
    text = " ".join(output_of(tmp_path, "serve", "--help").split())

    for words in ("--host", "--port", "--database", "--demo", "127.0.0.1", "8000", "gateway.db", "SIGTERM"):
        assert words in text


def test_the_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    assert output_of(tmp_path, "--version") == f"image-sharing-gateway {version('image-sharing-gateway')}\n"


@pytest.mark.usefixtures("new_interpreters")
def test_schema_prints_the_content_of_the_schema_file(tmp_path: Path) -> None:
    assert output_of(tmp_path, "schema", auth_secret=None) == (ROOT / "schema.graphql").read_text()


def test_token_prints_only_a_token_that_is_valid_for_an_hour(tmp_path: Path) -> None:
    token = output_of(tmp_path, "token", "--tenant", "1001").removesuffix("\n")

    caller = Tokens(settings_for("sqlite://")).caller(token)
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="image-gateway", issuer="image-gateway")
    assert (caller.tenant_id, caller.roles) == ("1001", {Role.ADMIN})
    assert claims["exp"] - claims["iat"] == 3600


def test_token_accepts_several_roles_and_a_lifetime(tmp_path: Path) -> None:
    options = ("--role", "observer", "--role", "creator", "--ttl", "60")
    token = output_of(tmp_path, "token", "--tenant", "1001", *options).strip()

    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="image-gateway")
    assert sorted(claims["roles"]) == ["creator", "observer"]
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize("options", [("--ttl", "0"), ("--ttl", "9" * 20), ("--role", "king")], ids=" ".join)
def test_token_rejects_an_invalid_lifetime_or_role(tmp_path: Path, options: tuple[str, str]) -> None:
    result = run(tmp_path, "token", "--tenant", "1001", *options)

    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_migrate_prints_the_revision_and_can_be_repeated(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{engine}_databases").blank()

    first, second = (output_of(tmp_path, "migrate", "--database", url, auth_secret=None) for _ in range(2))

    assert re.fullmatch(r"The store is at revision \d{4}\.\n", first)
    assert second == first


@pytest.mark.parametrize(
    ("command", "url", "reason"),
    [
        ("serve", "nonsense", "can't be read"),
        ("serve", "mysql://host/name", "'mysql' is not supported"),
        ("serve", "sqlite+aiosqlite://", "in memory"),
        ("serve", "sqlite:///", "path of a file"),
        ("serve", "sqlite+aiosqlite:///file:x?mode=memory&uri=true", "in memory"),
        ("serve", "postgresql://user@host:port/name", "can't be read"),
        ("serve", "sqlite+aiosqlite:////no/such/folder/gateway.db", "no folder /no/such/folder"),
        ("migrate", "sqlite+aiosqlite:////no/such/folder/gateway.db", "no folder /no/such/folder"),
        ("migrate", "sqlite+aiosqlite:///.", "can't be opened"),
        ("migrate", "postgresql+psycopg://user:password@127.0.0.1:1/name", "refused"),
    ],
)
def test_an_unusable_database_is_reported(tmp_path: Path, command: str, url: str, reason: str) -> None:
    sentence = error_of(tmp_path, command, "--database", url)

    assert reason in sentence
    assert "password@127" not in sentence


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_text("something else, of a length that can't be mistaken for an empty file")

    assert "not a database" in error_of(tmp_path, "serve", "--port", "0")


@pytest.mark.parametrize(
    ("command", "secret", "reason"),
    [
        (("serve",), None, "no secret"),
        (("serve",), "short", "at least 32 bytes"),
        (("token", "--tenant", "1"), None, "no secret"),
    ],
)
def test_a_missing_or_short_secret_is_reported(
    tmp_path: Path, command: tuple[str, ...], secret: str | None, reason: str
) -> None:
    sentence = error_of(tmp_path, *command, auth_secret=secret)

    assert "IMAGE_GATEWAY_AUTH_SECRET" in sentence
    assert reason in sentence


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"colour": "blue"}, "Unknown setting IMAGE_GATEWAY_COLOUR"),
        ({"port": "http"}, "IMAGE_GATEWAY_PORT"),
        ({"auth_issuer": "a, b"}, "one issuer"),
        ({"tenant_id_pattern": "["}, "not a regular expression"),
    ],
)
def test_an_invalid_setting_is_reported(tmp_path: Path, settings: dict[str, str], reason: str) -> None:
    assert reason in error_of(tmp_path, "serve", **settings)


def test_token_rejects_a_malformed_tenant_id(tmp_path: Path) -> None:
    assert "tenant ID" in error_of(tmp_path, "token", "--tenant", "someone")


@pytest.mark.usefixtures("new_interpreters")
def test_a_port_in_use_is_reported_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert f"port {port}" in error_of(tmp_path, "serve", "--port", port)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (("serve", "--host", "192.0.2.1"), {}),
        (("serve", "--host", "no such host"), {}),
        (("serve", "--workers", "2"), {}),
        (("serve",), {"auth_secret": None}),
        (("serve",), {"auth_secret": "short"}),
        (("serve",), {"auth_previous_secret": SECRET}),
        (("serve",), {"colour": "blue"}),
        (("serve",), {"documents_mode": "only"}),
        (("serve",), {"documents_path": "none.json"}),
        (("rotate-epoch",), {}),
        (("remove-tenant", "--tenant", "1"), {}),
    ],
    ids=str,
)
def test_a_failed_command_leaves_nothing_behind(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    error_of(tmp_path, *arguments, **settings)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["user", "database"])
def test_serve_does_not_wait_for_an_unknown_user_or_database(
    tmp_path: Path, postgres_databases: PostgresDatabases, wrong: str
) -> None:
    url = make_url(postgres_databases.fresh())
    url = url.set(username="nobody") if wrong == "user" else url.set(database="nothing")

    assert "can't be opened" in error_of(tmp_path, "serve", "--database", url.render_as_string(hide_password=False))


def test_a_second_server_on_the_same_sqlite_file_is_refused(tmp_path: Path) -> None:
    with start_serve(tmp_path, "--port", "0"):
        assert "Another gateway" in error_of(tmp_path, "serve", "--port", "0")


def test_an_unmigrated_store_is_refused(tmp_path: Path, postgres_databases: PostgresDatabases) -> None:
    sentence = error_of(tmp_path, "serve", "--port", "0", "--database", postgres_databases.blank())

    assert "image-gateway migrate" in sentence


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_store_that_is_newer_than_the_code_is_refused(
    tmp_path: Path, sqlite_databases: SqliteDatabases, command: str
) -> None:
    url = sqlite_databases.fresh()
    with closing(sqlite3.connect(str(make_url(url).database))) as store:
        store.execute(NEWER)
        store.commit()

    assert "Upgrade the gateway" in error_of(tmp_path, command, "--database", url)


def test_a_newer_store_on_postgresql_is_refused(tmp_path: Path, postgres_databases: PostgresDatabases) -> None:
    url = postgres_databases.fresh()
    with psycopg.connect(url.replace("+psycopg", "")) as store:
        store.execute(NEWER.encode())

    assert "Upgrade the gateway" in error_of(tmp_path, "serve", "--port", "0", "--database", url)


@pytest.mark.usefixtures("new_interpreters")
def test_sigterm_stops_the_server_with_status_0_and_frees_its_port_at_once(tmp_path: Path) -> None:
    with start_serve(tmp_path, "--port", "0") as first, httpx2.Client() as client:
        assert _is_ready(client, first)
        assert first.stop() == 0
        with start_serve(tmp_path, "--port", first.port) as second:
            assert second.url == first.url
            assert _is_ready(client, second)


@pytest.mark.usefixtures("new_interpreters")
def test_ctrl_c_stops_the_server_without_a_traceback(tmp_path: Path) -> None:
    with start_serve(tmp_path, "--port", "0") as server, httpx2.Client() as client:
        assert _is_ready(client, server)
        server.process.send_signal(signal.SIGINT)
        # 0 if the tests run in the background of a shell, where Ctrl-C is ignored by default.
        assert server.process.wait(20) == 0
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def _is_ready(client: httpx2.Client, server: ServeCommand) -> bool:
    return client.get(f"http://{server.address}/readyz").status_code == 200
