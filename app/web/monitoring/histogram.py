"""Durations in buckets, which cost next to nothing to add to: there is one in the way of every request."""

from bisect import bisect_left
from itertools import accumulate

# Upper bounds, in seconds.
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Timings:
    """How many operations took how long, and how long all of them took together."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, int]]:
        """As Prometheus has them: how many took no longer than each bound."""
        names = [*map(str, BOUNDS), "+Inf"]
        return list(zip(names, accumulate(self._counts), strict=True))
