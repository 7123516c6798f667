"""Log lines for an error that repeats, as during an outage: one traceback, then a count once a second."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

INTERVAL_SECONDS = 1.0
# An error after a longer pause belongs to another outage, which may have another cause.
OUTAGE_SECONDS = 30.0


@dataclass(slots=True)
class Repetition:
    """When errors of one type were last raised and logged, and how many were raised since."""

    raised_at: float
    logged_at: float
    unlogged: int = 0


class RepeatedErrors:
    """Logs one event: the first error of each type with its traceback, and how often it is repeated."""

    def __init__(self, logger: Any, event: str, clock: Callable[[], float] = monotonic) -> None:
        self._logger = logger
        self._event = event
        self._clock = clock
        self._repetitions: dict[str, Repetition] = {}

    def log(self, error: Exception) -> None:
        now, kind = self._clock(), type(error).__qualname__
        repetition = self._repetitions.get(kind)
        if repetition is None or now - repetition.raised_at > OUTAGE_SECONDS:
            self._repetitions[kind] = Repetition(now, now)
            self._logger.error(self._event, kind=kind, exc_info=error)
            return
        repetition.raised_at = now
        repetition.unlogged += 1
        if now - repetition.logged_at >= INTERVAL_SECONDS:
            self._logger.error(self._event, kind=kind, repeated=repetition.unlogged)
            repetition.logged_at, repetition.unlogged = now, 0
