"""A clock for the deadlines of operations that only a test advances."""

import asyncio
from contextlib import suppress

import pytest

from app import lifetime


class OperationClock:
    """A stopped clock, and the deadlines of the operations that have started."""

    def __init__(self) -> None:
        self._now = 0.0
        self._limits: list[tuple[float, asyncio.Timeout]] = []

    def now(self) -> float:
        return self._now

    def timeout(self, seconds: float) -> asyncio.Timeout:
        limit = asyncio.timeout(None)
        self._limits.append((self._now + seconds, limit))
        return limit

    def advance(self, seconds: float) -> None:
        """Advance the clock, and end the operations whose deadline has passed."""
        self._now += seconds
        for until, limit in self._limits:
            if until <= self._now:
                with suppress(RuntimeError):  # the operation has already ended
                    limit.reschedule(asyncio.get_running_loop().time())


def install_operation_clock(monkeypatch: pytest.MonkeyPatch) -> OperationClock:
    clock = OperationClock()
    monkeypatch.setattr(lifetime, "monotonic", clock.now)
    monkeypatch.setattr(lifetime, "timeout", clock.timeout)
    return clock
