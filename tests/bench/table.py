"""The figures of a run, as a table, and what was promised of them."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from tests.bench.servers import OURS


class Round(NamedTuple):
    """One slice of one server."""

    microseconds: float
    requests_a_second: float


class Figures(NamedTuple):
    """Of one server with one workload, over all rounds. The least time is the steadiest: noise only ever adds."""

    least: float
    median: float
    requests_a_second: float

    @classmethod
    def of(cls, rounds: list[Round]) -> "Figures":
        spent = [one.microseconds for one in rounds]
        return cls(min(spent), median(spent), median(one.requests_a_second for one in rounds))


class Bar(NamedTuple):
    """What was promised: so many times as fast as a peer."""

    workload: str
    peer: str
    at_least: float


# One workload's figures by the name of the server.
Found = dict[str, dict[str, Figures]]
BARS = (
    Bar("list", "mercurius", 2.5),
    Bar("inbox", "mercurius", 3),
    Bar("point", "mercurius", 1.3),
    Bar("offers", "mercurius", 1),
    Bar("list", "hand-written", 0.8),
    Bar("inbox", "hand-written", 0.8),
    Bar("list", "Strawberry", 50),
    Bar("offers", "Strawberry", 5),
    Bar("list on PostgreSQL", "PostGraphile", 3),
)
HEAD = f"{'':20}  {'CPU us':>8}  {'median':>8}  {'requests':>9}  {'ours is so many times as fast'}"
UNITS = f"{'':20}  {'least':>8}  {'':>8}  {'a second':>9}  {'by CPU':>8}  {'by rate':>8}"


def rows(workload: str, found: dict[str, Figures]) -> Iterator[str]:
    """The table of one workload."""
    yield f"\n{workload}"
    yield HEAD
    yield UNITS
    ours = found[OURS]
    for name, one in found.items():
        by_cpu, by_rate = one.least / ours.least, ours.requests_a_second / one.requests_a_second
        cost = f"{one.least:8.0f}  {one.median:8.0f}  {one.requests_a_second:9.0f}"
        yield f"{name:20}  {cost}  {by_cpu:8.2f}  {by_rate:8.2f}"


def bars(found: Found) -> Iterator[str]:
    """Each promise whose two servers were measured."""
    yield "\nWhat is promised, by the least CPU time (and by the median rate)"
    for bar in BARS:
        figures = found.get(bar.workload, {})
        if bar.peer in figures:
            ours, peer = figures[OURS], figures[bar.peer]
            by_cpu, by_rate = peer.least / ours.least, ours.requests_a_second / peer.requests_a_second
            verdict = "held" if by_cpu >= bar.at_least else "NOT held"
            promise = f"{bar.workload}: {bar.at_least:g} times {bar.peer}"
            yield f"{promise:45}  {verdict:8}  {by_cpu:.2f} ({by_rate:.2f})"
