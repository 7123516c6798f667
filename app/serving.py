"""Runs the server: locks and migrates the store, listens, and shuts down gracefully."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from filelock import FileLock, Timeout
from starlette.applications import Starlette

from app import logs
from app.api.schema import build_schema
from app.cloud import open_cloud
from app.demo import greeting, seed
from app.documents.manifest import trusted_documents
from app.errors import SetupError, StoreAway
from app.listening import listen, require_loopback
from app.main import create_app
from app.parts import Parts
from app.settings import Settings
from app.store import migrate
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.web.browser.demo import Demo
from app.web.callers.identity import SharedSecret
from app.web.callers.tokens import Tokens
from app.web.monitoring.peers import PeerSocket
from app.web.monitoring.traces import require_libraries
from app.web.server.fast_lane import http_protocol
from app.web.server.stalled_peers import WebSocketProtocol, abort_stalled_connections, websocket_protocol
from app.workers import Workers

# Sent with every response.
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
CLOSED_TOGETHER, INTERVAL_SECONDS = 50, 0.04


def serve(settings: Settings, demo: Demo | None, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises SetupError if the installation is not set up correctly."""
    _check_settings(settings, demo)
    with ExitStack() as stack:
        # First, so that a server that can't listen does not touch the store.
        listener = stack.enter_context(listen(settings.host, settings.port))
        if demo is not None and not demo.is_public:
            require_loopback(listener)
        if sqlite := sqlite_file(settings):
            _lock(sqlite, stack)
        abort_stalled_connections(listener, settings.stall_seconds)
        asyncio.run(_prepare(settings, demo))
        if settings.workers > 1:
            _announce(settings, listener, demo, say)
            Workers(settings, listener, partial(work, demo=demo)).run()
        else:
            _run(settings, listener, demo, lambda: _announce(settings, listener, demo, say))


def _check_settings(settings: Settings, demo: Demo | None) -> None:
    if open_cloud(settings) is None:
        Tokens(settings)
    elif demo is not None:
        raise SetupError("The demo keeps its images itself. Unset IMAGE_GATEWAY_UPSTREAM.")
    trusted_documents(settings, build_schema(settings).documents)
    require_libraries(settings)
    is_embedded = parse_url(settings.database_url).get_backend_name() == "sqlite"
    if is_embedded and settings.workers > 1:
        raise SetupError("One SQLite file takes one server process. Use PostgreSQL for several workers.")


def work(settings: Settings, listener: socket.socket, peer_socket: PeerSocket, demo: Demo | None) -> None:
    """Run one of several server processes."""
    logs.configure(settings)
    _run(settings, listener, demo, lambda: None, peer_socket)


def _run(
    settings: Settings,
    listener: socket.socket,
    demo: Demo | None,
    on_started: Callable[[], None],
    peer_socket: PeerSocket | None = None,
) -> None:
    app = create_app(settings, demo=demo, peer_socket=peer_socket)
    parts: Parts = app.state.parts

    async def give_notice() -> None:
        parts.health.is_draining = True
        # Load balancers poll at their own intervals, so there is nothing to wait for but time.
        await asyncio.sleep(settings.drain_notice_seconds)

    server = Server(uvicorn_config(app, settings), on_started, give_notice, parts.services.feed.end_watches)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


class Server(uvicorn.Server):
    """uvicorn's server, which reports when it has started, and for which a signal is a normal end."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_started: Callable[[], None],
        give_notice: Callable[[], Awaitable[None]],
        on_ending: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._give_notice = give_notice
        self._on_ending = on_ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            logs.log_unhandled_exceptions(asyncio.get_running_loop())
            _freeze_gc()
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the WebSockets a few at a time, so that they do not all reconnect to the next server at once."""
        await self._give_notice()
        for server in self.servers:
            server.close()
        open_sockets = [one for one in self.server_state.connections if isinstance(one, WebSocketProtocol)]
        for index, one in enumerate(open_sockets):
            one.shutdown()
            if index % CLOSED_TOGETHER == CLOSED_TOGETHER - 1:
                await asyncio.sleep(INTERVAL_SECONDS)
        self._on_ending()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _freeze_gc() -> None:
    """Exempt what was loaded at the start from garbage collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)


def uvicorn_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    parts: Parts = app.state.parts
    return uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
        headers=list(HEADERS.items()),
        http=http_protocol(settings, parts.fast_path, parts.connection_limit, parts.slow_readers),
        ws=websocket_protocol(settings, parts.slow_readers),
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


async def _prepare(settings: Settings, demo: Demo | None) -> None:
    """Migrate the embedded store. PostgreSQL is only checked here: `image-gateway migrate` migrates it.

    If PostgreSQL can't be reached, the server starts and waits for it, except for a demo, which has to be stored.
    """
    store = Store(parse_url(settings.database_url))
    try:
        if store.url.get_backend_name() == "sqlite":
            await migrate.upgrade(store)
        await migrate.require_current(store)
        if demo is not None:
            await seed(store, settings)
    except StoreAway:
        if demo is not None:
            raise
    finally:
        await store.close()


def _announce(settings: Settings, listener: socket.socket, demo: Demo | None, say: Callable[[str], None]) -> None:
    host, port = listener.getsockname()[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    say(f"GraphQL over HTTP         http://{place}/graphql")
    say(f"GraphQL over WebSocket    ws://{place}/graphql  (graphql-transport-ws)")
    say(f"Health                    http://{place}/livez  http://{place}/readyz")
    if settings.ide:
        say(f"GraphiQL, in a browser    http://{place}/")
    if demo is not None:
        say(f"Live demo, in a browser   http://{place}/demo")
        for line in greeting(SharedSecret(settings)):
            say(line)
    say("Stop with Ctrl-C.")


def sqlite_file(settings: Settings, is_made: bool = True) -> Path | None:
    """The file of the embedded store, created for its user alone if `is_made`; None for PostgreSQL.

    It is opened here because a driver's thread that fails to open it may outlive the event loop.
    """
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        return None
    path = Path(url.database or "").absolute()
    if not path.parent.is_dir():
        raise SetupError(
            f"There is no folder {path.parent} for the database file. Make it, or choose another --database."
        )
    if not is_made and not path.is_file():
        raise SetupError(f"There is no database file {path}.")
    try:
        # SQLite gives its other files the same rights.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise SetupError(f"The database file {url.database} can't be opened: {error.strerror}.") from error
    return path


def _lock(sqlite: Path, stack: ExitStack) -> None:
    """Lock the file: two servers could not share its writer, nor notice each other's commits at once."""
    try:
        stack.enter_context(FileLock(f"{sqlite}.lock", timeout=0))
    except Timeout:
        raise SetupError(
            f"Another gateway is serving from {sqlite}. One SQLite file takes one server: stop the other one, "
            "or use PostgreSQL."
        ) from None
    except OSError as error:
        raise SetupError(f"The lock file {sqlite}.lock can't be opened: {error.strerror}.") from error
