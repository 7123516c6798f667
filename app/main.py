"""The wiring: builds the parts of a gateway and connects them."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.api.operation.context import Services
from app.api.plan.planner import Planner
from app.api.schema import build_schema
from app.background import Closing, Component, Group
from app.documents.manifest import trusted_documents
from app.documents.persisted import PersistedDocuments
from app.documents.price import Prices
from app.documents.summaries import Summaries
from app.events.feed import Feed
from app.events.hint import Hint
from app.events.upkeep import Upkeep
from app.mirror.bus import BusListener
from app.mirror.carrier import Carrier
from app.mirror.front import Front
from app.mirror.look import Mirror
from app.mirror.worker import MirrorWorker
from app.settings import Settings
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.engines.notify import Notifier
from app.store.plan.answer import Reader
from app.store.plan.reader import open_reader
from app.store.plan.traced import TracedReader
from app.store.startup import StoreStartup
from app.web.browser.assets import asset_routes
from app.web.browser.demo import Demo, demo_routes
from app.web.browser.ide import Ide, root_handler
from app.web.callers.identity import IdentityProvider, SharedSecret
from app.web.callers.keystone_tokens import KeystoneTokens
from app.web.callers.tokens import Tokens
from app.web.http.endpoint import Endpoint
from app.web.limits.admission import Admission
from app.web.limits.budget_sync import BudgetSync
from app.web.limits.budgets import open_budgets
from app.web.limits.connections import ConnectionLimit
from app.web.limits.unread import SlowReaders
from app.web.limits.watches import WatchQuota
from app.web.monitoring.collector import Sources
from app.web.monitoring.health import Health
from app.web.monitoring.metrics import Metrics
from app.web.monitoring.operations import Operations
from app.web.monitoring.peers import PeerSocket
from app.web.monitoring.traces import Traces, open_traces
from app.web.pipeline import Pipeline
from app.web.server.fast_path import FastPath
from app.web.websockets.view import SocketView
from app.web.wire.cors import CorsPolicy

if TYPE_CHECKING:
    from app.upstream.opening import Upstream as Cloud


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one gateway, which the server around it and the tests look up as `app.state.parts`."""

    services: Services
    notifier: Notifier | None
    reader: Reader
    traces: Traces | None
    pipeline: Pipeline
    identities: IdentityProvider
    cors: CorsPolicy
    sockets: SocketView
    fast_path: FastPath
    connection_limit: ConnectionLimit
    slow_readers: SlowReaders
    health: Health
    metrics: Metrics
    cloud: "Cloud | None"
    mirror: Mirror | None


def create_app(
    settings: Settings,
    identities: IdentityProvider | None = None,
    demo: Demo | None = None,
    peer_socket: PeerSocket | None = None,
) -> Starlette:
    """Build the gateway as an ASGI application. The store must be migrated.

    `peer_socket` connects this process with the others of the same server.
    """
    cloud = open_cloud(settings)
    parts = _build_parts(settings, identities or _identities(settings, cloud), cloud, peer_socket or PeerSocket())
    background = Group(list(_background(parts)))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        await background.start()
        try:
            yield
        finally:
            await background.stop()

    app = Starlette(routes=list(_routes(parts, demo)), lifespan=lifespan)
    # Starlette's redirects would trust the client's Host header and scheme.
    app.router.redirect_slashes = False
    app.state.parts = parts
    app.state.max_body_bytes = settings.max_body_bytes
    return app


def _build_parts(
    settings: Settings, identities: IdentityProvider, cloud: "Cloud | None", peer_socket: PeerSocket
) -> Parts:
    store, hint, notifier = _open_store(settings.database_url)
    feed = Feed(store, hint, settings.feed_ring_size, settings.poll_seconds)
    front = None if cloud is None else _front(cloud, store, settings)
    services = Services(settings, store, feed, None if front is None else Carrier(store, front))
    reader, traces = _open_reader(store, settings)
    pipeline = _build_pipeline(services, reader, traces)
    cors = CorsPolicy(settings.allowed_origins)
    sockets = SocketView(pipeline, identities, cors)
    slow_readers, connection_limit = SlowReaders(), ConnectionLimit(settings)
    sources = Sources(
        services=services,
        planner=pipeline.planner,
        reader=reader,
        operations=pipeline.operations,
        connections=sockets.quotas.tenants,
        identities=identities,
        slow_readers=slow_readers,
        connection_limit=connection_limit,
    )
    return Parts(
        services=services,
        notifier=notifier,
        reader=reader,
        traces=traces,
        pipeline=pipeline,
        identities=identities,
        cors=cors,
        sockets=sockets,
        fast_path=FastPath(pipeline, identities, cors, is_enabled=traces is None),
        connection_limit=connection_limit,
        slow_readers=slow_readers,
        health=Health(feed, identities, None if front is None else lambda: front.mirror.age),
        metrics=Metrics(sources, peer_socket),
        cloud=cloud,
        mirror=None if front is None else front.mirror,
    )


def open_cloud(settings: Settings) -> "Cloud | None":
    """The cloud that the gateway stands in front of, if the settings name one. Raises SetupError."""
    if settings.upstream is None:
        return None
    # The HTTP client is imported only where it is used.
    from app.upstream.opening import open_upstream

    return open_upstream(settings)


def _identities(settings: Settings, cloud: "Cloud | None") -> IdentityProvider:
    if cloud is None:
        return Tokens(settings)
    return KeystoneTokens(cloud.authority, settings.upstream_token_cache_seconds)


def _front(cloud: "Cloud", store: Store, settings: Settings) -> Front:
    return Front(cloud.glance, cloud.authority, Mirror(store, cloud.glance), 2 * settings.upstream_seconds)


def _open_store(database_url: str) -> tuple[Store, Hint, Notifier | None]:
    """The store, and what hints at its commits: within this process, and on PostgreSQL to the other ones."""
    hint, url = Hint(), parse_url(database_url)
    notifier = Notifier(url, hint.give) if url.get_backend_name() == "postgresql" else None

    def on_commit() -> None:
        hint.give()
        if notifier is not None:
            notifier.give()

    return Store(url, on_commit), hint, notifier


def _open_reader(store: Store, settings: Settings) -> tuple[Reader, Traces | None]:
    """The reader of plans, and the traces if they are wanted: then each unit of the store has a span."""
    reader, traces = open_reader(store, settings.max_response_bytes), open_traces(settings)
    if traces is None:
        return reader, None
    store.span = traces.unit
    return TracedReader(reader, traces.unit), traces


def _build_pipeline(services: Services, reader: Reader, traces: Traces | None) -> Pipeline:
    settings, schema = services.settings, build_schema(services.settings)
    documents = schema.documents
    trusted = trusted_documents(settings, documents)
    return Pipeline(
        persisted=PersistedDocuments(trusted, documents, settings.documents_mode, settings.automatic_documents_bytes),
        budgets=open_budgets(settings, Prices(documents)),
        admission=Admission(settings, documents),
        watches=WatchQuota(settings.max_watches_per_tenant),
        planner=Planner(documents, services, reader),
        schema=schema,
        services=services,
        operations=Operations(Summaries(documents), settings, traces),
    )


def _background(parts: Parts) -> Iterator[Component]:
    """The background work, in the order in which it starts."""
    settings, store, budgets = parts.services.settings, parts.services.store, parts.pipeline.budgets
    if parts.traces is not None:
        yield Closing(parts.traces.close)
    yield Closing(parts.reader.close)
    yield Closing(store.close)
    if parts.cloud is not None:
        yield Closing(parts.cloud.close)
    upkeep = Upkeep(store, settings.event_retention, settings.event_retention_count)
    notifiers = () if parts.notifier is None else (parts.notifier,)
    yield StoreStartup(store, (parts.services.feed, upkeep, *notifiers, *_mirroring(parts)))
    yield parts.identities
    if budgets is not None and parts.notifier is not None:
        yield BudgetSync(store, budgets)
    yield parts.metrics.peers


def _mirroring(parts: Parts) -> Iterator[Component]:
    """What keeps the mirror of a cloud up to date."""
    if parts.cloud is None or parts.mirror is None:
        return
    settings = parts.services.settings
    poll_seconds, sweep_rate = settings.upstream_poll_seconds, settings.upstream_sweep_rate
    worker = MirrorWorker(parts.mirror, parts.cloud.glance, poll_seconds, sweep_rate)
    yield worker
    if settings.upstream_bus_url is not None:
        # An extra, imported only where it is used.
        from app.upstream.notifications import Notifications

        notifications = Notifications(settings.upstream_bus_url.get_secret_value(), settings.upstream_bus_queue)
        yield BusListener(parts.mirror, notifications, worker.request_census)


def _routes(parts: Parts, demo: Demo | None) -> Iterator[BaseRoute]:
    settings, schema = parts.services.settings, parts.pipeline.schema
    ide = Ide(demo) if settings.ide else None
    endpoint = parts.cors.wrap(Endpoint(parts.pipeline, parts.identities, parts.cors, parts.sockets, ide))
    for path in ("/graphql", "/graphql/"):
        yield Route(path, endpoint)
        yield WebSocketRoute(path, endpoint)
    yield Route("/", root_handler(ide, settings.introspection))
    yield from asset_routes(schema.as_str() if settings.introspection else None)
    if demo is not None:
        yield from demo_routes(demo, SharedSecret(settings))
    yield Route("/livez", parts.health.livez)
    yield Route("/readyz", parts.health.readyz)
    yield Route("/metrics", parts.metrics.respond)
