"""The parts of a gateway, and how they are built and connected."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.api.operation.context import Services
from app.api.plan.planner import Planner
from app.api.schema import build_schema
from app.cloud import cloud_sources, open_front
from app.documents.manifest import trusted_documents
from app.documents.persisted import PersistedDocuments
from app.documents.price import Prices
from app.documents.summaries import Summaries
from app.events.feed import Feed
from app.events.hint import Hint
from app.mirror.carrier import Carrier
from app.mirror.look import Mirror
from app.settings import Settings
from app.store.database import Store
from app.store.engines.engine import parse_url
from app.store.engines.notify import Notifier
from app.store.plan.answer import Reader
from app.store.plan.reader import open_reader
from app.store.plan.traced import TracedReader
from app.web.callers.identity import IdentityProvider
from app.web.limits.admission import Admission
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
from app.web.wire.mirror_age import MirrorAge

if TYPE_CHECKING:
    from app.upstream.opening import Upstream as Cloud


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one gateway, for its server and for tests, as `app.state.parts`."""

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


def build_parts(
    settings: Settings, identities: IdentityProvider, cloud: "Cloud | None", peer_socket: PeerSocket
) -> Parts:
    store, hint, notifier = _open_store(settings.database_url)
    feed = Feed(store, hint, settings.feed_ring_size, settings.poll_seconds)
    front = None if cloud is None else open_front(cloud, store, settings)
    services = Services(settings, store, feed, None if front is None else Carrier(store, front))
    reader, traces = _open_reader(store, settings)
    mirror_age = None if front is None else MirrorAge(lambda: front.mirror.age, settings.upstream_stale_seconds)
    pipeline = _build_pipeline(services, reader, traces, mirror_age)
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
        cloud=None if cloud is None or front is None else cloud_sources(cloud, front.mirror),
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
        health=Health(feed, identities, mirror_age),
        metrics=Metrics(sources, peer_socket),
        cloud=cloud,
        mirror=None if front is None else front.mirror,
    )


def _open_store(database_url: str) -> tuple[Store, Hint, Notifier | None]:
    """The store, and the hints at its commits: within this process, and on PostgreSQL also to other processes."""
    hint, url = Hint(), parse_url(database_url)
    notifier = Notifier(url, hint.signal) if url.get_backend_name() == "postgresql" else None

    def on_commit() -> None:
        hint.signal()
        if notifier is not None:
            notifier.notify()

    return Store(url, on_commit), hint, notifier


def _open_reader(store: Store, settings: Settings) -> tuple[Reader, Traces | None]:
    """The reader of plans, and the traces if they are enabled; then each unit of the store has a span."""
    reader, traces = open_reader(store, settings.max_response_bytes), open_traces(settings)
    if traces is None:
        return reader, None
    store.span = traces.unit
    return TracedReader(reader, traces.unit), traces


def _build_pipeline(
    services: Services, reader: Reader, traces: Traces | None, mirror_age: MirrorAge | None
) -> Pipeline:
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
        mirror_age=mirror_age,
    )
