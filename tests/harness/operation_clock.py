"""The time that operations have, which passes when a test says so: no speed of the machine ends one of them."""

import asyncio
from contextlib import suppress

import pytest

from app import lifetime


class OperationClock:
    """It stands still; each operation that begins gets its time by this clock alone."""

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
        """Let so much of it pass; what takes longer by now is over."""
        self._now += seconds
        for until, limit in self._limits:
            if until <= self._now:
                with suppress(RuntimeError):  # that one has ended
                    limit.reschedule(asyncio.get_running_loop().time())


def install_operation_clock(monkeypatch: pytest.MonkeyPatch) -> OperationClock:
    clock = OperationClock()
    monkeypatch.setattr(lifetime, "monotonic", clock.now)
    monkeypatch.setattr(lifetime, "timeout", clock.timeout)
    return clock
