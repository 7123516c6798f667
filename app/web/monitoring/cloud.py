"""The metrics of a gateway in front of a cloud: its mirror, and its calls upstream."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from app.histogram import Histogram
from app.mirror.look import Mirror

# How long the calls to each service took, by their status.
CallDurations = Mapping[str, Mapping[str, Histogram]]


@dataclass
class CloudSources:
    """`marks_waiting` is read from the store, like its other statistics; None if that failed."""

    mirror: Mirror
    calls: CallDurations
    marks_waiting: int | None = None


def cloud_metrics(prefix: str, sources: CloudSources) -> Iterator[Metric]:
    figures = sources.mirror.figures

    def gauge(name: str, help: str, value: float | None) -> Iterator[Metric]:
        if value is not None:
            yield GaugeMetricFamily(f"{prefix}mirror_{name}", help, value)

    yield from gauge("age_seconds", "Seconds since Glance was last polled with success.", sources.mirror.age)
    yield from gauge("marks_waiting", "Images that wait for a look.", sources.marks_waiting)
    help = "Whether Glance's notifications are being received."
    yield from gauge("bus_connected", help, figures.is_bus_connected)
    yield from gauge("sweep_progress", "Share of its round that the sweep has done.", figures.sweep_progress)
    help = "Rounds that the sweep has completed."
    yield CounterMetricFamily(f"{prefix}mirror_sweep_rounds", help, figures.sweep_rounds)
    help = "Notifications about images that were received."
    yield CounterMetricFamily(f"{prefix}mirror_notifications", help, figures.notifications)
    help = "Looks at images, by what they found."
    looks = CounterMetricFamily(f"{prefix}mirror_looks", help, labels=["result"])
    for result, number in sorted(figures.looks.items()):
        looks.add_metric([result], number)
    yield looks
    yield _calls(prefix, sources.calls)


def _calls(prefix: str, calls: CallDurations) -> Metric:
    family = HistogramMetricFamily(
        f"{prefix}upstream_call_duration_seconds",
        "Calls to the services of the cloud by HTTP status, `unreached` or `unanswered`, and how long they took.",
        labels=["service", "status"],
    )
    for service, durations in calls.items():
        for status, histogram in sorted(durations.items()):
            family.add_metric([service, status], histogram.buckets(), histogram.total)
    return family
