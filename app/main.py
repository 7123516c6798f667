"""The gateway as an ASGI application: its parts, their background work and its routes."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.background import Closing, Component, Group
from app.cloud import mirror_components, open_cloud, open_identities
from app.events.upkeep import Upkeep
from app.parts import Parts, build_parts
from app.settings import Settings
from app.store.startup import StoreStartup
from app.web.browser.assets import asset_routes
from app.web.browser.demo import Demo, demo_routes
from app.web.browser.ide import Ide, root_handler
from app.web.callers.identity import IdentityProvider, SharedSecret
from app.web.http.endpoint import Endpoint
from app.web.http.not_found import respond_not_found
from app.web.limits.budget_sync import BudgetSync
from app.web.monitoring.peers import PeerSocket


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
    parts = build_parts(settings, identities or open_identities(settings, cloud), cloud, peer_socket or PeerSocket())
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
    app.router.default = respond_not_found
    app.state.parts = parts
    app.state.max_body_bytes = settings.max_body_bytes
    return app


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
    mirroring = mirror_components(parts.cloud, parts.mirror, settings)
    yield StoreStartup(store, (parts.services.feed, upkeep, *notifiers, *mirroring))
    yield parts.identities
    if budgets is not None and parts.notifier is not None:
        yield BudgetSync(store, budgets)
    yield parts.metrics.peers


def _routes(parts: Parts, demo: Demo | None) -> Iterator[BaseRoute]:
    settings, schema = parts.services.settings, parts.pipeline.schema
    ide = Ide(demo) if settings.ide else None
    endpoint = parts.cors.wrap(Endpoint(parts.pipeline, parts.identities, parts.cors, parts.sockets, ide))
    for path in ("/graphql", "/graphql/"):
        yield Route(path, endpoint)
        yield WebSocketRoute(path, endpoint)
    yield Route("/", root_handler(ide, settings.introspection))
    yield from asset_routes(schema.as_str if settings.introspection else None)
    if demo is not None:
        yield from demo_routes(demo, SharedSecret(settings))
    yield Route("/livez", parts.health.livez)
    yield Route("/readyz", parts.health.readyz)
    yield Route("/metrics", parts.metrics.respond)
