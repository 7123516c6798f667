"""`image-gateway doctor` reports what is well, and what is not along with advice, and changes nothing."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from app.admin import machine, stores
from app.admin.findings import Check, Result
from app.store import checks as examination
from app.store.database import Store
from app.store.engines.engine import parse_url
from tests.harness.commands import run
from tests.harness.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.harness.gateway import settings_for, start_gateway
from tests.harness.issuer import signing_key
from tests.harness.key_server import run_key_server

pytestmark = pytest.mark.slow
SERVER = examination.Server(180_001, 100, 3, datetime.now(UTC), 5, None)


def examined(folder: Path, *arguments: str, **settings: Any) -> dict[str, dict[str, str]]:
    """The checks by name, after verifying that the exit status matches them and each problem has advice."""
    ended = run(folder, "doctor", "--json", *arguments, **settings)
    checks: list[dict[str, str]] = json.loads(ended.stdout)
    assert ended.returncode == any(check["result"] == "fail" for check in checks)
    assert all(bool(check["advice"]) is (check["result"] != "ok") for check in checks), checks
    return {check["name"]: check for check in checks}


async def checks_of(url: str, **settings: Any) -> dict[str, Check]:
    store = Store(parse_url(url))
    try:
        return {check.name: check async for check in stores.check_store(store, settings_for(url, **settings))}
    finally:
        await store.close()


def test_a_healthy_gateway_passes_all_checks(databases: Databases, tmp_path: Path) -> None:
    checks = examined(tmp_path, "--database", databases.fresh())

    assert {check["result"] for check in checks.values()} == {"ok"}
    common = {"settings", "tokens", "file limit", "store", "migrations", "log"}
    of_sqlite = {"store file", "disk space", "write-ahead log", "journal"}
    of_postgres = {"version", "connections", "rights", "clock", "hints"}
    assert checks.keys() - common in (of_sqlite, of_postgres)


def test_the_text_output_has_a_line_for_each_check_and_its_advice(
    sqlite_databases: SqliteDatabases, tmp_path: Path
) -> None:
    ended = run(tmp_path, "doctor", "--database", sqlite_databases.blank(), auth_secret=None)

    assert ended.returncode == 1
    assert "FAIL  tokens: There is no secret" in ended.stdout
    assert "      -> " in ended.stdout


def test_every_way_to_verify_a_token_is_reported(tmp_path: Path) -> None:
    url = "https://keys.example.org/jwks"
    checks = examined(tmp_path, auth_jwks_url=url)

    assert checks["tokens"]["found"] == f"they are verified by a shared secret or the keys at {url}"


def test_the_keys_of_a_key_server_are_fetched(tmp_path: Path) -> None:
    with run_key_server(signing_key("one", "ES256"), signing_key("two", "ES256")) as server:
        there = examined(tmp_path, auth_jwks_url=server.url)["keys"]
        server.stop()
        gone = examined(tmp_path, auth_jwks_url=server.url)["keys"]

    assert (there["result"], there["found"]) == ("ok", f"{server.url} gives 2 usable keys")
    assert (gone["result"], "gives none: ConnectError" in gone["found"]) == ("fail", True)


def test_a_missing_sqlite_file_is_not_a_failure_and_is_not_created(tmp_path: Path) -> None:
    checks = examined(tmp_path)

    assert checks["store file"]["result"] == "note"
    assert list(tmp_path.iterdir()) == []


def test_an_unmigrated_store_is_reported(databases: Databases, tmp_path: Path) -> None:
    url = databases.blank()
    if url.startswith("sqlite"):
        Path(make_url(url).database or "").touch()

    checks = examined(tmp_path, "--database", url)

    assert checks["migrations"]["result"] == "fail"
    assert "image-gateway migrate" in checks["migrations"]["advice"]
    assert "log" not in checks


@pytest.mark.parametrize(
    ("name", "url", "word"),
    [
        ("store", "postgresql+psycopg://user:password@127.0.0.1:1/name", "refused"),
        ("store file", "sqlite+aiosqlite:////no/such/folder/gateway.db", "no folder"),
        ("settings", "mysql://host/name", "not supported"),
    ],
)
def test_an_unusable_store_is_reported_without_its_password(tmp_path: Path, name: str, url: str, word: str) -> None:
    check = examined(tmp_path, "--database", url)[name]

    assert (check["result"], word in check["found"]) == ("fail", True)
    assert "password@127" not in check["found"]


def test_an_unknown_setting_is_reported(tmp_path: Path) -> None:
    assert "IMAGE_GATEWAY_COLOUR" in examined(tmp_path, colour="blue")["settings"]["found"]


def test_a_file_descriptor_limit_below_the_socket_limit_is_reported() -> None:
    check = machine.file_limit(settings_for("sqlite://", max_connections_per_tenant=10**9))

    assert check.result is Result.FAIL
    assert "LimitNOFILE" in check.advice


def test_a_nearly_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage: Callable[[Any], Any] = lambda _: SimpleNamespace(free=100 * 2**20)  # noqa: E731  # stands in for a full disk
    monkeypatch.setattr(shutil, "disk_usage", usage)

    checks = {check.name: check for check in machine.check_embedded_store(tmp_path / "gateway.db")}
    assert checks["disk space"].result is Result.FAIL


def test_a_large_write_ahead_log_is_reported(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").touch()
    with (tmp_path / "gateway.db-wal").open("wb") as wal:
        wal.truncate(machine.MUCH_WAL_BYTES + 1)

    checks = {check.name: check for check in machine.check_embedded_store(tmp_path / "gateway.db")}
    assert checks["write-ahead log"].result is Result.NOTE


def test_an_unwritable_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gateway.db").touch()
    # The tests may run as root, who may write everything.
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path / "gateway.db")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    checks = {check.name: check for check in machine.check_embedded_store(tmp_path / "gateway.db")}
    assert checks["store file"].result is Result.FAIL


async def test_log_entries_from_the_future_are_reported(databases: Databases) -> None:
    url = databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        gateway.services.store.clock = lambda: datetime.now(UTC) + timedelta(hours=1)
        await gateway.tenant("1").register()

    assert (await checks_of(url))["log"].result is Result.NOTE


async def test_more_workers_than_the_server_has_connections_for_are_reported(
    postgres_databases: PostgresDatabases,
) -> None:
    found = await checks_of(postgres_databases.fresh(), workers=64)

    assert found["connections"].result is Result.FAIL
    assert "max_connections" in found["connections"].advice


async def test_tables_that_the_role_may_not_write_are_reported(postgres_databases: PostgresDatabases) -> None:
    url = postgres_databases.fresh()
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    role = f"reader_{make_url(url).database}"
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        admin.execute(f"GRANT INSERT, UPDATE, DELETE ON image TO {role}".encode())

    limited = make_url(url).set(username=role, password="x").render_as_string(hide_password=False)
    rights = (await checks_of(limited))["rights"]
    assert rights.result is Result.FAIL
    assert rights.found.split()[2:] == ["member,", "event,", "event_head,", "recorded_outcome"]


async def test_undelivered_hints_are_reported(
    postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(store: Store, at_most: float) -> bool:
        return False

    monkeypatch.setattr(examination, "hears_itself", deaf)
    assert (await checks_of(postgres_databases.fresh()))["hints"].result is Result.FAIL


@pytest.mark.parametrize(("version", "result"), [(140_012, Result.FAIL), (150_000, Result.OK)])
def test_a_server_that_is_too_old_is_reported(version: int, result: Result) -> None:
    assert stores._version(SERVER._replace(version=version)).result is result


@pytest.mark.parametrize(("seconds", "result"), [(-30, Result.FAIL), (0, Result.OK), (30, Result.FAIL)])
def test_a_clock_difference_is_reported(seconds: int, result: Result) -> None:
    now = datetime.now(UTC)
    server = SERVER._replace(clock=now + timedelta(seconds=seconds))
    assert stores._clock(server, now, settings_for("sqlite://")).result is result
