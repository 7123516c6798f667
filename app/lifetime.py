"""How long an operation may go on: until its time is up, or until nobody waits for it any more.

Whatever begins a unit of its work (a resolver, a statement, a transaction) asks first. A unit that has begun is never
cut short, since a cancellation in the midst of a statement would break its connection.
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
    """Of one operation. `on_over` is called once, when it is over and the units that it had begun are, too."""

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
        """Raises TimedOut when no further unit may begin."""
        if self.is_over:
            raise self.timed_out()

    def write(self) -> None:
        """The same before a transaction; from here on something may change."""
        self.require()
        self._has_written = True

    def hold(self, unit: "Task[Any]") -> None:
        """A unit that has begun, and ends with its task."""
        self.unit_begins()
        unit.add_done_callback(self._release)

    def unit_begins(self) -> None:
        self._units += 1

    def unit_ends(self) -> None:
        self._units -= 1
        self._tell()

    def end(self) -> None:
        """The operation has its answer, or needs none any more."""
        if not self._is_over:
            self._is_over = True
            self._tell()

    def timed_out(self) -> TimedOut:
        """What its caller is told."""
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

    def _tell(self) -> None:
        if self._is_over and not self._units:
            on_over, self._on_over = self._on_over, lambda: None
            on_over()


def current() -> Lifetime | None:
    """The lifetime of the current operation; None in background work."""
    return _current.get()


def require() -> None:
    """Raises TimedOut when the operation that this is done for may begin no further unit."""
    if (life := _current.get()) is not None:
        life.require()


async def within(life: Lifetime, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives. Raises TimedOut when the time is up before; what has begun then ends in its own time."""
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
