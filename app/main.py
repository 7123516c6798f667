"""Which parts there are, and how they are put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from app.api.operation.context import Services
from app.api.plan.planner import Planner
from app.api.schema import GatewaySchema, build_schema
from app.documents.manifest import trusted_documents
from app.documents.persisted import Persisted
from app.documents.price import Prices
from app.documents.summaries import Descriptions
from app.events.feed import Feed
from app.events.hint import Hint
from app.events.upkeep import Upkeep
from app.settings import Settings
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.engines.notify import Notifier
from app.store.opening import Opening
from app.store.plan.answer import Reader
from app.store.plan.reader import open_reader
from app.store.plan.traced import TracedReader
from app.store.statistics import Vitals
from app.web.browser.assets import asset_routes
from app.web.browser.demo import Demo, demo_routes
from app.web.browser.ide import Ide, front
from app.web.callers.identity import IdentityProvider, SharedSecret
from app.web.callers.tokens import Tokens
from app.web.http.endpoint import Endpoint
from app.web.limits.admission import Admission
from app.web.limits.budget_sync import BudgetSync
from app.web.limits.budgets import open_budgets
from app.web.limits.connections import ConnectionLimit
from app.web.limits.unread import SlowReaders
from app.web.limits.watches import WatchQuota
from app.web.monitoring.collector import Sources
from app.web.monitoring.health import livez, readyz
from app.web.monitoring.metrics import Metrics, metrics
from app.web.monitoring.operations import Operations
from app.web.monitoring.peers import Colleagues, Desk
from app.web.monitoring.traces import Traces, open_traces
from app.web.pipeline import Pipeline
from app.web.server.fast_path import FastPath
from app.web.websockets.view import SocketView
from app.web.wire.cors import CorsPolicy

# For those who operate it; none of them wants a token.
OPERATIONS = (Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics))


def create_app(
    settings: Settings,
    identities: IdentityProvider | None = None,
    demo: Demo | None = None,
    desk: Desk | None = None,
) -> Starlette:
    """The gateway as an ASGI application. The store must be migrated.

    `demo` is what a demo shows, and to whom; `desk` is the place of this process among several.
    """
    store, hint, notifier = _store_with_news(settings.database_url)
    upkeep = Upkeep(store, settings.event_retention, settings.event_retention_count)
    feed = Feed(store, hint, settings.feed_ring_size, settings.poll_seconds)
    services = Services(settings, store, feed)
    schema = build_schema(settings)
    reader, traces = _reading(store, settings)
    pipeline = _pipeline(services, schema, reader, traces)
    planner, budgets, admission = pipeline.planner, pipeline.budgets, pipeline.admission
    settling = None if budgets is None or notifier is None else BudgetSync(store, budgets)
    identities = identities or Tokens(settings)
    cors = CorsPolicy(settings.allowed_origins)
    ide = Ide(demo) if settings.ide else None
    sockets = SocketView(pipeline, identities, cors)
    endpoint = Endpoint(pipeline, identities, cors, sockets, ide)
    slow_readers, connection_limit = SlowReaders(), ConnectionLimit(settings)
    sources = Sources(
        services=services,
        planner=planner,
        reader=reader,
        operations=pipeline.operations,
        connections=sockets.quotas.tenants,
        identities=identities,
        slow_readers=slow_readers,
        connection_limit=connection_limit,
        vitals=Vitals(),
    )
    told = Metrics(sources, desk or Desk())
    app = Starlette(
        routes=[*_doors(cors.wrap(endpoint)), *_pages(settings, schema, ide, demo), *OPERATIONS],
        lifespan=lambda _: _running(
            store, reader, feed, upkeep, notifier, identities, settling, told.colleagues, traces
        ),
    )
    # Starlette would redirect to whatever the client calls this host, and to a scheme of its choice.
    app.router.redirect_slashes = False
    fast_path = FastPath(pipeline, identities, cors, is_enabled=traces is None)
    _keep(app, services=services, upkeep=upkeep, planner=planner, budgets=budgets, metrics=told)
    _keep(app, admission=admission, connection_limit=connection_limit, slow_readers=slow_readers, fast_path=fast_path)
    _keep(app, leaving=False, schema=schema, identities=identities)
    _keep(app, max_body_bytes=settings.max_body_bytes)
    return app


def _pipeline(services: Services, schema: GatewaySchema, reader: Reader, traces: Traces | None) -> Pipeline:
    """What every operation passes, whichever transport brings it."""
    settings, documents = services.settings, schema.documents
    trusted = trusted_documents(settings, documents)
    return Pipeline(
        persisted=Persisted(trusted, documents, settings.documents_mode, settings.automatic_documents_bytes),
        budgets=open_budgets(settings, Prices(documents)),
        admission=Admission(settings, documents),
        watches=WatchQuota(settings.max_watches_per_tenant),
        planner=Planner(documents, services, reader),
        schema=schema,
        services=services,
        operations=Operations(Descriptions(documents), settings, traces),
    )


def _reading(store: Store, settings: Settings) -> tuple[Reader, Traces | None]:
    """Who reads what is planned, and the traces if they are wanted: then each unit of the store has a span."""
    reader, traces = open_reader(store, settings.max_response_bytes), open_traces(settings)
    if traces is None:
        return reader, None
    store.span = traces.unit
    return TracedReader(reader, traces.unit), traces


def _doors(endpoint: ASGIApp) -> list[BaseRoute]:
    return [route(path, endpoint) for path in ("/graphql", "/graphql/") for route in (Route, WebSocketRoute)]


def _pages(settings: Settings, schema: GatewaySchema, ide: Ide | None, demo: Demo | None) -> list[BaseRoute]:
    """For browsers, as far as the settings let them in."""
    return [
        Route("/", front(ide, settings.introspection)),
        *asset_routes(schema.as_str() if settings.introspection else None),
        *([] if demo is None else demo_routes(demo, SharedSecret(settings))),
    ]


def _keep(app: Starlette, **parts: object) -> None:
    """What is looked up while it runs: by health and metrics, by the server round it, by tests."""
    for name, part in parts.items():
        setattr(app.state, name, part)


def _store_with_news(database_url: str) -> tuple[Store, Hint, Notifier | None]:
    """The store, and how its news is hinted at: in this process, and to other ones on PostgreSQL."""
    hint, url = Hint(), parse_url(database_url)
    notifier = Notifier(url, hint.give) if url.get_backend_name() == "postgresql" else None

    def on_news() -> None:
        hint.give()
        if notifier is not None:
            notifier.give()

    return Store(url, on_news), hint, notifier


@asynccontextmanager
async def _running(
    store: Store,
    reader: Reader,
    feed: Feed,
    upkeep: Upkeep,
    notifier: Notifier | None,
    identities: IdentityProvider,
    settling: BudgetSync | None,
    colleagues: Colleagues,
    traces: Traces | None,
) -> AsyncGenerator[None, None]:
    """From the first request to the last: what works in the background, begun and ended in order."""

    async def begin() -> None:
        await feed.start()
        upkeep.start()
        if notifier is not None:
            notifier.start()

    opening = Opening(store, begin)
    await opening.start()
    identities.start()
    if settling is not None:
        settling.start()
    await colleagues.start()
    yield
    await opening.stop()
    await colleagues.stop()
    if settling is not None:
        await settling.stop()
    if notifier is not None:
        await notifier.stop()
    await upkeep.stop()
    await identities.stop()
    await feed.stop()
    await store.close()
    await reader.close()
    if traces is not None:
        traces.close()
