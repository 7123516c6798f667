"""Figures for Prometheus, of this process. They name no tenant."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from app.api.plan.planner import Planner


class Plans(Collector):
    """Which operations take the short way, and why the others do not."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(
            "image_gateway_planned_operations",
            "Operations that were answered by a plan, without an execution field by field.",
            self._planner.answered,
        )
        left = CounterMetricFamily(
            "image_gateway_unplanned_operations",
            "Operations that GraphQL's own execution carried out, by the reason why no plan could.",
            labels=["reason"],
        )
        for reason, number in sorted(self._planner.left.items()):
            left.add_metric([reason], number)
        yield left


def registry(planner: Planner) -> CollectorRegistry:
    """All figures of one gateway."""
    found = CollectorRegistry()
    found.register(Plans(planner))
    return found


async def metrics(request: Request) -> Response:
    return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)
