"""Figures for Prometheus, of all server processes of this machine. They name no tenant."""

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
# The store is asked no more often than this, however often somebody looks, and nobody waits long for it.
ASKED_EVERY_SECONDS, PATIENCE_SECONDS = 10.0, 2.0


def registry(sources: Sources) -> CollectorRegistry:
    """All figures of one process."""
    found = CollectorRegistry()
    found.register(MetricsCollector(sources))
    ProcessCollector(registry=found)
    GCCollector(registry=found)
    return found


class Metrics:
    """What is told at a scrape."""

    def __init__(self, sources: Sources, peer_socket: PeerSocket) -> None:
        self.peers = Peers(peer_socket, registry(sources), self._look)
        self._sources = sources
        self._asked: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")

    async def respond(self, request: Request) -> Response:
        families = generate_latest(_Everyone(await self.peers.everyone()))
        return Response(families, media_type=CONTENT_TYPE_LATEST)

    async def _look(self) -> None:
        """Ask the store how it is, if that is long ago."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= ASKED_EVERY_SECONDS and (self._asked is None or self._asked.done()):
            self._asked_at, self._asked = now, asyncio.create_task(self._ask())
        if self._asked is not None:
            await asyncio.wait({self._asked}, timeout=PATIENCE_SECONDS)

    async def _ask(self) -> None:
        try:
            self._sources.vitals = await statistics.read(self._sources.services.store)
        except Exception as error:  # noqa: BLE001  # the other figures are told all the same, and the old ones of these are not
            self._sources.vitals = statistics.Vitals()
            logger.warning("the store does not say how it is", reason=type(error).__name__)


@dataclass
class _Everyone(Collector):
    """The families of all processes, each sample with the place of the process that it is of."""

    told: dict[int, Families | None]

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            f"{PREFIX}worker_up", "Whether a server process has told its figures.", labels=["worker"]
        )
        families: dict[str, Metric] = {}
        for place, told in sorted(self.told.items()):
            up.add_metric([str(place)], told is not None)
            for name, documentation, type_, samples in told or ():
                family = families.setdefault(name, Metric(name, documentation, type_))
                for sample, labels, value in samples:
                    # JSON has no infinity, which stands for what has never happened yet.
                    family.add_sample(sample, {**labels, "worker": str(place)}, inf if value is None else value)
        yield up
        yield from families.values()
