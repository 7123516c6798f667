"""Deadlines of operations. An operation ends at its deadline, or when its caller no longer waits for it.

Each unit of work (a resolver, a statement, a transaction) checks the deadline before it begins. A unit that has begun
is never cancelled, since a cancellation in the middle of a statement would break its connection.
"""

from asyncio import Task, timeout
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from time import monotonic
from typing import Any, TypeVar

from app.errors import TimedOut

T = TypeVar("T")
_current: ContextVar["Lifetime | None"] = ContextVar("lifetime", default=None)


class Lifetime:
    """The lifetime of one operation. Calls `on_over` once, when the operation and all units that it began are over."""

    __slots__ = ("_has_written", "_is_over", "_on_over", "_seconds", "_units", "_until", "_what")

    def __init__(self, what: str, seconds: float, on_over: Callable[[], None] = lambda: None) -> None:
        self._what = what
        self._seconds = seconds
        self._until = monotonic() + seconds
        self._on_over = on_over
        self._units = 0
        self._is_over = self._has_written = False

    @property
    def seconds_left(self) -> float:
        return self._until - monotonic()

    @property
    def is_over(self) -> bool:
        return self._is_over or monotonic() >= self._until

    def require(self) -> None:
        """Raises TimedOut if no further unit may begin."""
        if self.is_over:
            raise self.timed_out()

    def write(self) -> None:
        """Begin a transaction, which may change something. Raises TimedOut if no further unit may begin."""
        self.require()
        self._has_written = True

    def add_unit(self, unit: "Task[Any]") -> None:
        """Add a unit that has begun, and ends with its task."""
        self.unit_begins()
        unit.add_done_callback(self._release)

    def unit_begins(self) -> None:
        self._units += 1

    def unit_ends(self) -> None:
        self._units -= 1
        self._finish()

    def end(self) -> None:
        """End the operation, since it has its response or its caller has left."""
        if not self._is_over:
            self._is_over = True
            self._finish()

    def timed_out(self) -> TimedOut:
        """The error for the caller."""
        if self._has_written:
            return TimedOut(
                f"The {self._what} takes longer than {self._seconds:g} s. What it has begun is carried out to its end: "
                "send it again with the same idempotencyKey to learn the outcome, or read what has come of it."
            )
        if self._what == "mutation":
            return TimedOut(
                f"The mutation could not begin within {self._seconds:g} s, so nothing was changed. Try again later."
            )
        return TimedOut(
            f"The {self._what} takes longer than {self._seconds:g} s. Ask for less at a time, or try again."
        )

    def _release(self, _: "Task[Any]") -> None:
        self.unit_ends()

    def _finish(self) -> None:
        if self._is_over and not self._units:
            on_over, self._on_over = self._on_over, lambda: None
            on_over()


def current() -> Lifetime | None:
    """The lifetime of the current operation; None in background work."""
    return _current.get()


def require() -> None:
    """Raises TimedOut if the current operation may begin no further unit."""
    if (life := _current.get()) is not None:
        life.require()


async def within(life: Lifetime, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work. Raises TimedOut at the deadline; units that have begun then finish in the background."""
    token = _current.set(life)
    limit = timeout(life.seconds_left)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise life.timed_out() from None
        raise
    finally:
        life.end()
        _current.reset(token)
