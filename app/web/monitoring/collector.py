"""The metrics of one process. Every label has a bounded number of values."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from platform import python_version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.api.operation.context import Services
from app.api.plan.planner import Planner
from app.store.plan.answer import Reader
from app.store.statistics import Vitals
from app.web.callers.identity import IdentityProvider
from app.web.limits.connections import ConnectionLimit
from app.web.limits.quota import Quota
from app.web.limits.unread import SlowReaders
from app.web.monitoring.cloud import CloudSources, cloud_metrics
from app.web.monitoring.operations import Operations

PREFIX = "image_gateway_"


@dataclass(kw_only=True)
class Sources:
    """The parts of the gateway that have metrics."""

    services: Services
    planner: Planner
    reader: Reader
    operations: Operations
    connections: Quota
    identities: IdentityProvider
    slow_readers: SlowReaders
    connection_limit: ConnectionLimit
    cloud: CloudSources | None = None
    vitals: Vitals = field(default_factory=Vitals)


class MetricsCollector(Collector):
    """Collects the metrics of this process at each scrape."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        yield from _operations(self._sources.operations)
        yield from _plans(self._sources.planner)
        yield from _watches(self._sources)
        yield from _connections(self._sources.connection_limit)
        yield from _log(self._sources.services)
        yield from _store(self._sources)
        yield from _keys(self._sources.identities)
        if self._sources.cloud is not None:
            yield from cloud_metrics(PREFIX, self._sources.cloud)
        yield from _build(self._sources)


def _operations(operations: Operations) -> Iterator[Metric]:
    histogram = HistogramMetricFamily(
        f"{PREFIX}operation_duration_seconds",
        "Operations by kind and result, and how long they took; a watch counts at its end.",
        labels=["kind", "result"],
    )
    for (kind, result), durations in sorted(operations.durations.items()):
        histogram.add_metric([kind, result], durations.buckets(), durations.total)
    yield histogram
    yield _counter("errors", "Top-level errors, by code.", "code", operations.errors)
    yield _counter("refusals", "Refusals in the payloads of mutations, by code.", "code", operations.refusals)


def _plans(planner: Planner) -> Iterator[Metric]:
    yield CounterMetricFamily(
        f"{PREFIX}planned_operations",
        "Operations that were answered by a plan instead of executed field by field.",
        planner.answered,
    )
    help = "Operations that were executed field by field, by the reason why no plan could answer them."
    yield _counter("unplanned_operations", help, "reason", planner.fallbacks)


def _watches(sources: Sources) -> Iterator[Metric]:
    operations, figures = sources.operations, sources.services.feed.figures
    yield _gauge("websockets_open", "Authenticated WebSockets.", sources.connections.total)
    yield _gauge("watches_open", "Watches under way, over WebSocket and SSE.", len(operations.watches))
    yield CounterMetricFamily(f"{PREFIX}watch_items", "Items sent to watches.", operations.items)
    yield _gauge("watch_position_lag", "Events that the slowest watch is behind this process.", figures.slowest)
    yield _counter("watch_resets", "Watches that were reset because of a gap, by reason.", "reason", figures.resets)
    help = "Connections that were aborted because their client read nothing."
    yield CounterMetricFamily(f"{PREFIX}stalled_sockets", help, sources.slow_readers.cut)
    yield _gauge("unsent_bytes", "Bytes buffered for clients that do not read.", sources.slow_readers.bytes)


def _connections(limit: ConnectionLimit) -> Iterator[Metric]:
    yield _gauge("connections_open", "TCP connections of clients, WebSockets among them.", len(limit.open))
    yield _gauge("connections_most", "Maximum of TCP connections.", limit.max)
    help = "Connections that were closed while idle to make room for others, or refused at the maximum."
    yield _counter("connections_turned_away", help, "reason", limit.turned_away)


def _keys(identities: IdentityProvider) -> Iterator[Metric]:
    if (age := identities.key_set_age) is not None:
        help = "Seconds since the key set was fetched; see the log if it exceeds twice its setting."
        yield _gauge("key_set_age_seconds", help, age)


def _log(services: Services) -> Iterator[Metric]:
    feed = services.feed
    yield CounterMetricFamily(f"{PREFIX}watch_gap", "Holes found in the log. Must be 0: page on 1.", feed.figures.holes)
    help = "Reads of the log that the store did not complete in time."
    yield CounterMetricFamily(f"{PREFIX}log_late_reads", help, feed.figures.late)
    yield _gauge("log_head", "Number of the newest event that this process has read.", feed.figures.read)
    yield _gauge("log_floor", "Number of the newest event that was deleted.", feed.figures.floor)
    yield _gauge("log_head_lag", "Events in the store that this process has not read yet.", feed.figures.lag)
    yield _gauge("log_read_age_seconds", "Time since the log was last read with success.", feed.seconds_since_read)
    yield _counter("log_looks", "Reads of the log, by cause: hint or poll interval.", "cause", feed.figures.looks)


def _store(sources: Sources) -> Iterator[Metric]:
    store, vitals = sources.services.store, sources.vitals
    pools = GaugeMetricFamily(f"{PREFIX}store_connections", "Connections to the store.", labels=["pool", "state"])
    for name, (in_use, size) in {**store.connections(), **sources.reader.connections()}.items():
        pools.add_metric([name, "in_use"], in_use)
        pools.add_metric([name, "idle"], size - in_use)
    yield pools
    yield _gauge("store_units", "Units of work under way on the store.", store.units_under_way)
    yield _gauge("writer_waiting", "Actions that wait for the embedded store's writer.", store.waiting_writers)
    for name, help, value in (
        ("notification_queue_usage", "Fraction of PostgreSQL's notification queue that is used.", vitals[0]),
        ("oldest_transaction_seconds", "Age of the oldest transaction in the database.", vitals[1]),
        ("wal_bytes", "Size of the embedded store's write-ahead log.", vitals[2]),
    ):
        if value is not None:
            yield _gauge(name, help, value)


def _build(sources: Sources) -> Iterator[Metric]:
    labels = ["version", "python", "store"]
    info = GaugeMetricFamily(
        f"{PREFIX}build_info", "Versions of the gateway and of Python, and the engine.", labels=labels
    )
    engine = sources.services.store.url.get_backend_name()
    info.add_metric([version("image-sharing-gateway"), python_version(), engine], 1)
    yield info


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", help, value)


def _counter(name: str, help: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}{name}", help, labels=[label])
    pairs: Iterable[tuple[str, int]] = sorted((str(key), number) for key, number in counts.items())
    for key, number in pairs:
        family.add_metric([key], number)
    return family
