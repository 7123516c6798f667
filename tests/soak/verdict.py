"""Checks the latency of reads and the memory of workers."""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles
from typing import Any, NamedTuple

from tests.soak.faults import Window
from tests.soak.load import Read

SLOWER_AT_MOST = 3.0
GROWTH_AT_MOST, NOISE_BYTES = 0.05, 3_000_000


class MemorySample(NamedTuple):
    at: float
    pid: int
    bytes: int


def check_reads(
    reads: Sequence[Read], calm: Window, windows: Sequence[Window], judged: bool
) -> tuple[list[str], dict[str, Any]]:
    """Compare the 99th percentile outside faults with that of the calm period."""
    outside = [
        read
        for read in reads
        if read.begun > calm.ended and not any(one.overlaps(read.begun, read.begun + read.seconds) for one in windows)
    ]
    quiet = [read for read in reads if calm.overlaps(read.begun, read.begun)]
    found = [f"a read outside the faults failed: {read.trouble}" for read in [*quiet, *outside] if read.trouble][:5]
    before, after = _p99(quiet), _p99(outside)
    if judged and after > SLOWER_AT_MOST * before:
        found.append(f"the 99th percentile of the reads has gone from {before * 1e3:.1f} to {after * 1e3:.1f} ms")
    return found, {
        "reads": len(reads),
        "reads in the calm, and outside the faults after it": (len(quiet), len(outside)),
        "reads that failed, all of them in the faults": sum(read.trouble is not None for read in reads),
        "p50 in ms, calm and later": (_ms(median(_seconds(quiet))), _ms(median(_seconds(outside)))),
        "p99 in ms, calm and later": (_ms(before), _ms(after)),
        "p99 later, times calm": round(after / before, 2),
    }


def check_memory(weighed: Iterable[MemorySample], since: float, judged: bool) -> tuple[list[str], dict[str, Any]]:
    """Compare the memory in the first and the last fifth of the time, for each worker that ran throughout."""
    lives: dict[int, list[int]] = {}
    born: dict[int, float] = {}
    for one in weighed:
        born.setdefault(one.pid, one.at)
        if one.at >= since and born[one.pid] <= since:
            lives.setdefault(one.pid, []).append(one.bytes)
    ends = {
        pid: (_median_of_fifth(sizes, 0), _median_of_fifth(sizes, -1))
        for pid, sizes in lives.items()
        if len(sizes) >= 5
    }
    found = [
        f"worker {pid} has grown from {first / 1e6:.1f} to {last / 1e6:.1f} MB"
        for pid, (first, last) in ends.items()
        if judged and last - first > GROWTH_AT_MOST * first + NOISE_BYTES
    ]
    if judged and len(ends) < 2:
        found.append("no two workers lived long enough to be weighed")
    sizes = [(round(first / 1e6, 1), round(last / 1e6, 1)) for first, last in ends.values()]
    return found, {"memory of the workers in MB, first and last fifth of the time": sizes}


def _median_of_fifth(sizes: list[int], place: int) -> float:
    fifth = max(1, len(sizes) // 5)
    return median(sizes[:fifth] if place == 0 else sizes[-fifth:])


def _seconds(reads: Sequence[Read]) -> list[float]:
    return [read.seconds for read in reads] or [0.0]


def _p99(reads: Sequence[Read]) -> float:
    seconds = _seconds(reads)
    return quantiles(seconds, n=100)[98] if len(seconds) > 1 else seconds[0]


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)
