"""Prints the figures of a run as a table, and checks the promises about them."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from tests.bench.servers import OURS


class Round(NamedTuple):
    """The figures of one server in one round."""

    microseconds: float
    requests_a_second: float


class WorkloadFigures(NamedTuple):
    """One server's figures for a workload over all rounds. The minimum time is the most stable figure."""

    least: float
    median: float
    requests_a_second: float

    @classmethod
    def of(cls, rounds: list[Round]) -> "WorkloadFigures":
        spent = [one.microseconds for one in rounds]
        return cls(min(spent), median(spent), median(one.requests_a_second for one in rounds))


class Promise(NamedTuple):
    """A promise: how many times as fast as a peer the gateway is."""

    workload: str
    peer: str
    at_least: float


# The figures of each workload, by the name of the server.
Found = dict[str, dict[str, WorkloadFigures]]
BARS = (
    Promise("list", "mercurius", 2.5),
    Promise("inbox", "mercurius", 3),
    Promise("point", "mercurius", 1.3),
    Promise("offers", "mercurius", 1),
    Promise("list", "hand-written", 0.8),
    Promise("inbox", "hand-written", 0.8),
    Promise("list", "Strawberry", 50),
    Promise("offers", "Strawberry", 5),
    Promise("list on PostgreSQL", "PostGraphile", 3),
)
HEAD = f"{'':20}  {'CPU us':>8}  {'median':>8}  {'requests':>9}  {'ours is so many times as fast'}"
UNITS = f"{'':20}  {'least':>8}  {'':>8}  {'a second':>9}  {'by CPU':>8}  {'by rate':>8}"


def rows(workload: str, found: dict[str, WorkloadFigures]) -> Iterator[str]:
    """The table of one workload."""
    yield f"\n{workload}"
    yield HEAD
    yield UNITS
    ours = found[OURS]
    for name, one in found.items():
        by_cpu, by_rate = one.least / ours.least, ours.requests_a_second / one.requests_a_second
        cost = f"{one.least:8.0f}  {one.median:8.0f}  {one.requests_a_second:9.0f}"
        yield f"{name:20}  {cost}  {by_cpu:8.2f}  {by_rate:8.2f}"


def promises(found: Found) -> Iterator[str]:
    """A line for each promise whose two servers were measured."""
    yield "\nWhat is promised, by the least CPU time (and by the median rate)"
    for bar in BARS:
        figures = found.get(bar.workload, {})
        if bar.peer in figures:
            ours, peer = figures[OURS], figures[bar.peer]
            by_cpu, by_rate = peer.least / ours.least, ours.requests_a_second / peer.requests_a_second
            verdict = "held" if by_cpu >= bar.at_least else "NOT held"
            promise = f"{bar.workload}: {bar.at_least:g} times {bar.peer}"
            yield f"{promise:45}  {verdict:8}  {by_cpu:.2f} ({by_rate:.2f})"
