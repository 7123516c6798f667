"""Prometheus metrics of all server processes of this machine. None of them names a tenant."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from app.store import statistics
from app.web.monitoring.collector import PREFIX, MetricsCollector, Sources
from app.web.monitoring.peers import Families, Peers, PeerSocket

logger: Any = structlog.get_logger("metrics")
# The store's statistics are read at most this often, however many scrapes there are, and no scrape waits longer.
READ_INTERVAL_SECONDS, PATIENCE_SECONDS = 10.0, 2.0


def registry(sources: Sources) -> CollectorRegistry:
    """All metrics of one process."""
    own = CollectorRegistry()
    own.register(MetricsCollector(sources))
    ProcessCollector(registry=own)
    GCCollector(registry=own)
    return own


class Metrics:
    """Responds to scrapes with the metrics of all processes."""

    def __init__(self, sources: Sources, peer_socket: PeerSocket) -> None:
        self.peers = Peers(peer_socket, registry(sources), self._refresh_vitals)
        self._sources = sources
        self._read: asyncio.Task[None] | None = None
        self._read_at = float("-inf")

    async def respond(self, request: Request) -> Response:
        families = generate_latest(_AllProcesses(await self.peers.fetch_all()))
        return Response(families, media_type=CONTENT_TYPE_LATEST)

    async def _refresh_vitals(self) -> None:
        """Read the store's statistics if the last ones are out of date."""
        now = asyncio.get_running_loop().time()
        if now - self._read_at >= READ_INTERVAL_SECONDS and (self._read is None or self._read.done()):
            self._read_at, self._read = now, asyncio.create_task(self._read_vitals())
        if self._read is not None:
            await asyncio.wait({self._read}, timeout=PATIENCE_SECONDS)

    async def _read_vitals(self) -> None:
        try:
            self._sources.vitals = await statistics.read(self._sources.services.store)
            if (cloud := self._sources.cloud) is not None:
                cloud.marks_waiting = await cloud.mirror.count_marked()
        except Exception as error:  # noqa: BLE001  # the other metrics are still served, without outdated vitals
            self._sources.vitals = statistics.Vitals()
            if self._sources.cloud is not None:
                self._sources.cloud.marks_waiting = None
            logger.warning("the store's statistics could not be read", reason=type(error).__name__)


@dataclass
class _AllProcesses(Collector):
    """The metric families of all processes; a label on each sample has the number of its process."""

    families: dict[int, Families | None]

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            f"{PREFIX}worker_up", "Whether a server process has reported its metrics.", labels=["worker"]
        )
        merged: dict[str, Metric] = {}
        for worker, families in sorted(self.families.items()):
            up.add_metric([str(worker)], families is not None)
            for name, documentation, type_, samples in families or ():
                family = merged.setdefault(name, Metric(name, documentation, type_))
                for sample, labels, value in samples:
                    # JSON has no infinity: the peer sent null for an age of something that has never happened.
                    family.add_sample(sample, {**labels, "worker": str(worker)}, inf if value is None else value)
        yield up
        yield from merged.values()
