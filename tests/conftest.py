"""Fixtures for every test: a gateway on a fresh database, on either engine."""

import gc
import os
import ssl
import subprocess
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import httpx2
import hypothesis
import pytest
import structlog
from playwright.async_api import Browser

from app.documents import price
from tests.harness import browser as chromium
from tests.harness import forks
from tests.harness import node as npm
from tests.harness.commands import ServeCommand, start_serve
from tests.harness.databases import Databases, PostgresDatabases, SqliteDatabases, postgres
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.server import Server, run_server

NO_SKIPS = "TESTS_MUST_NOT_SKIP"
# The first test against a cloud installs and starts it.
CLOUD_SECONDS = 900


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=["sqlite", "postgres"], help="Run on one engine only; on both by default.")
    parser.addoption("--rounds", type=int, default=15, help="Rounds of each race and kill; 1000 for the long run.")
    parser.addoption("--cloud", help="The file of a cloud that `python -m tests.cloud` runs; else one is started.")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than there are cores, because a test often waits for another process."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Tests that compare what is drawn take their number of cases from here when it is larger than their own."""
    hypothesis.settings.register_profile("rounds", max_examples=int(config.getoption("--rounds") or 1))
    hypothesis.settings.load_profile("rounds")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`--engine sqlite` leaves out what runs on the other engine: the quick run while working.

    Files of slow tests and long files come first, so that no process is left alone with one of them in the end.
    """
    for item in items:
        _add_implied_markers(item)
    engine_option = config.getoption("--engine")
    left_out = {item for item in items if engine_option and _engine_of(item) not in (None, engine_option)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -sizes[item.path], item.path))


def pytest_collection_finish(session: pytest.Session) -> None:
    """As the server does: what has been imported is never garbage, and looking through it takes a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _add_implied_markers(item: pytest.Item) -> None:
    engine = item.get_closest_marker("engine")
    if (engine and _engine_of(item) not in (None, *engine.args)) or item.get_closest_marker("alone"):
        item.add_marker(pytest.mark.long)
    if item.get_closest_marker("cloud") and not item.get_closest_marker("timeout"):
        item.add_marker(pytest.mark.timeout(CLOUD_SECONDS))
    if "bus_url" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.bus)
    if item.get_closest_marker("long") or item.get_closest_marker("cloud"):
        item.add_marker(pytest.mark.slow)


def _engine_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return (
        None
        if callspec is None
        else next(filter(None, map(callspec.params.get, ("databases", "server", "played"))), None)
    )


@pytest.fixture
def reading_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what operations cost: what is charged for reading a document that is new has tests of its own."""
    monkeypatch.setattr(price, "count_tokens", lambda text: 0)
    monkeypatch.setattr(price, "FREE_SECONDS", 1_000.0)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--rounds") or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything that the tests need is installed, a skipped test is a test that did not run."""
    report = yield
    if report.skipped and os.environ.get(NO_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"skipped, and {NO_SKIPS} is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def forked_processes() -> Generator[None]:
    """Most tests start the gateway by a fork, which costs a tenth of a new interpreter."""
    with patch.object(forks, "forking", True):
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Generator[None]:
    """Each new HTTP client would read the certificates of the machine, which takes longer than most tests."""

    @cache
    def read(_file: str | None, **options: Any) -> ssl.SSLContext:
        return httpx2.create_ssl_context(**options)

    def create(**options: Any) -> ssl.SSLContext:
        return read(os.environ.get("SSL_CERT_FILE"), **options)

    with patch("httpx2._transports.default.create_ssl_context", create):
        yield


@pytest.fixture
def new_interpreters() -> Generator[None]:
    """For tests of the process itself: each command is a new interpreter, as operators start it."""
    with patch.object(forks, "forking", False):
        yield


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """To draw one richly, with all its values, takes a good part of a second, and a test of outages logs many."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases() -> Generator[PostgresDatabases]:
    # Not below pytest's own folder: each new session shuts that to other users, and the server runs as one.
    with TemporaryDirectory(prefix="gateway-postgres-") as folder, postgres(Path(folder)) as databases:
        yield databases


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Each test that takes this, or anything that stands on it, runs on both engines."""
    return request.getfixturevalue(f"{request.param}_databases")


@pytest.fixture(scope="session")
def node() -> npm.Run:
    """Run a program of `tests/node` with Node; skips where Node or the npm packages can't be had."""
    if (reason := npm.reason_to_skip()) is not None:
        pytest.skip(reason)

    def run(program: str, *arguments: str, folder: Path = npm.FOLDER) -> subprocess.CompletedProcess[str]:
        return npm.run_in_folder("node", program, *arguments, folder=folder)

    return run


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser]:
    """Debian's Chromium; skips where there is none."""
    if chromium.executable() is None:
        pytest.skip("chromium is not installed")
    async with chromium.launch_browser() as browser:
        yield browser


@pytest.fixture
def run_gateway(databases: Databases) -> Callable[..., AbstractAsyncContextManager[Gateway]]:
    """A gateway with settings of the test's own: `async with run_gateway(member_quota=2) as gateway`."""

    def run(**changes: Any) -> AbstractAsyncContextManager[Gateway]:
        return start_gateway(settings_for(databases.fresh(), **changes))

    return run


@pytest.fixture
async def gateway(
    run_gateway: Callable[..., AbstractAsyncContextManager[Gateway]],
) -> AsyncGenerator[Gateway]:
    async with run_gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
async def shared_gateway(databases: Databases) -> AsyncGenerator[Gateway]:
    """One gateway for a whole table of cases, each with tenants and images of its own. Its quota is small."""
    async with start_gateway(settings_for(databases.fresh(), member_quota=4)) as gateway:
        yield gateway


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """One server process on each engine for every test of a transport; each test has tenants of its own."""
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    with run_server(tmp_path_factory.mktemp("server"), database_url=databases.fresh(), max_body_bytes=20_000) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server whose file a test may spoil behind its back."""
    with run_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServeCommand]:
    """The demo as it is started, and the demo of two workers on PostgreSQL."""
    folder, serve_options = tmp_path_factory.mktemp("demo"), ["--demo", "--port", "0"]
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_databases").fresh()
        serve_options += ["--workers", "2", "--database", url]
    with start_serve(folder, *serve_options, auth_secret=None) as demo:
        yield demo
