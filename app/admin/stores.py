"""Checks of the store: its connection, its migrations, and what the gateway needs of its engine."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from app.admin.findings import Check, fail, note, ok, ok_or_fail
from app.errors import SetupError
from app.settings import Settings
from app.store import checks, migrate
from app.store.database import Store
from app.store.engines import engine, notify
from app.store.plan import pooled

OLDEST_VERSION = 150_000
# Connections for reading and writing, for following the log, for plans, and for hints.
CONNECTIONS_OF_A_WORKER = 2 * engine.POOL + engine.FOLLOWERS + pooled.CONNECTIONS + notify.SESSIONS
# Allowance for the duration of the statement that reads the server's clock.
CLOCK_SLACK = timedelta(seconds=1)
HEARD_WITHIN_SECONDS = 2.0


async def check_store(store: Store, settings: Settings) -> AsyncIterator[Check]:
    """Check the store step by step, up to the first failure that makes further checks pointless."""
    url = store.url.render_as_string(hide_password=True)
    try:
        await checks.require_reachable(store)
    except SetupError as error:
        yield fail("store", str(error).removesuffix("."), "Start it, or correct IMAGE_GATEWAY_DATABASE_URL.")
        return
    yield ok("store", f"{url} can be reached")
    try:
        await migrate.require_current(store)
    except SetupError as error:
        yield fail(
            "migrations", str(error).removesuffix("."), "Run `image-gateway migrate` with this version of the gateway."
        )
        return
    yield ok("migrations", "the store is at the revision that this version needs")
    async for check in _check_engine(store, settings):
        yield check
    yield await _log(store, settings)


async def _check_engine(store: Store, settings: Settings) -> AsyncIterator[Check]:
    if store.url.get_backend_name() == "sqlite":
        mode = await checks.journal_mode(store)
        yield ok_or_fail(
            "journal", mode == "wal", f"the journal mode is {mode}", "Use a file system that supports SQLite's WAL."
        )
        return
    began = datetime.now(UTC)
    server = await checks.server(store)
    yield _version(server)
    yield _connections(server, settings)
    yield ok_or_fail(
        "rights",
        server.lacking is None,
        "every table can be read and written" if server.lacking is None else f"not so {server.lacking}",
        "Serve as the owner of the tables, or GRANT SELECT, INSERT, UPDATE, DELETE on them.",
    )
    yield _clock(server, began, settings)
    yield await _hints(store)


def _version(server: checks.Server) -> Check:
    found = f"PostgreSQL {server.version // 10_000}.{server.version % 10_000}"
    return ok_or_fail("version", server.version >= OLDEST_VERSION, found, "Upgrade to PostgreSQL 15 or newer.")


def _connections(server: checks.Server, settings: Settings) -> Check:
    needed = CONNECTIONS_OF_A_WORKER * settings.workers
    free = server.most_connections - server.reserved_connections
    found = (
        f"{settings.workers} workers of this machine take up to {needed} connections; the server has {free}, "
        f"of which {server.present_connections} are in use just now"
    )
    advice = "Raise max_connections, or serve with fewer workers. Count every machine that shares the database."
    return ok_or_fail("connections", needed <= free, found, advice)


def _clock(server: checks.Server, began: datetime, settings: Settings) -> Check:
    now = datetime.now(UTC)
    slack = CLOCK_SLACK + timedelta(seconds=settings.auth_leeway_seconds)
    is_ok = began - slack <= server.clock <= now + slack
    apart = (server.clock - now).total_seconds()
    found = f"the server's clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    return ok_or_fail("clock", is_ok, found, "Let both follow NTP: the times of tokens and events depend on it.")


async def _hints(store: Store) -> Check:
    heard = await checks.hears_itself(store, HEARD_WITHIN_SECONDS)
    found = "LISTEN receives NOTIFY" if heard else "LISTEN did not receive NOTIFY"
    advice = (
        "Connect to the server directly, or through a pooler in session mode. Until then changes wait for the poll."
    )
    return ok_or_fail("hints", heard, found, advice)


async def _log(store: Store, settings: Settings) -> Check:
    log = await checks.log(store)
    events = f"events {log.floor + 1} to {log.head}" if log.head > log.floor else "no events"
    found = f"epoch {log.epoch}, {events}"
    if log.newest_at is None or log.newest_at <= datetime.now(UTC) + timedelta(seconds=settings.auth_leeway_seconds):
        return ok("log", found)
    ahead = f"{found}; the newest is of {log.newest_at:%Y-%m-%d %H:%M:%S}, which is in the future"
    return note("log", ahead, "Check the clocks of the machines that serve: one is, or was, ahead.")
