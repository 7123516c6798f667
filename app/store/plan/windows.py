"""The windows of an operation: which rows each of its lists wants. They are values, and their shape decides the SQL.

Two windows have one shape when they give and leave out the same things; then one statement serves both.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple, cast

from sqlalchemy import Text, bindparam

from app.store.images import ImageFilter
from app.store.members import MemberFilter
from app.store.pages import PageRequest, Position
from app.store.plan.dialects import Dialect

Wanted = ImageFilter | MemberFilter


class Window(NamedTuple):
    """A page of a list of rows, and which rows are wanted."""

    wanted: Wanted
    page: PageRequest


class Ids(NamedTuple):
    """Objects by ID: one, or a list of them."""

    ids: tuple[str, ...]
    is_list: bool


Place = Window | Ids


def shape(places: Sequence[Place]) -> tuple[Any, ...]:
    """What of the values the statement hangs on."""
    return tuple(_shape(place) for place in places)


def _shape(place: Place) -> tuple[Any, ...]:
    if isinstance(place, Ids):
        return ()
    page = place.page
    return page.first is None, page.after is None, page.before is None, *map(_size, place.wanted)


def _size(value: Any) -> int | None:
    """None when nothing is given, else how many values there are."""
    if value is None:
        return None
    return len(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else -1


def parameters(places: Sequence[Place], dialect: Dialect) -> dict[str, Any]:
    """The values by the names that they have in the statement, as the driver takes them."""
    return {name: value for number, place in enumerate(places) for name, value in _parameters(number, place, dialect)}


def _parameters(number: int, place: Place, dialect: Dialect) -> Iterator[tuple[str, Any]]:
    if isinstance(place, Ids):
        yield f"p{number}_ids", dialect.ids_given(place.ids) if place.is_list else place.ids[0]
        return
    yield f"p{number}_size", place.page.size
    for name, position in (("after", place.page.after), ("before", place.page.before)):
        if position is not None:
            yield f"p{number}_{name}_at", dialect.moment_given(position.created_at)
            yield f"p{number}_{name}_id", position.id
    for name, value in zip(place.wanted._fields, place.wanted, strict=True):
        if value is not None:
            yield from _values(f"p{number}_{name}", value)


def _values(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, tuple):
        for index, one in enumerate(cast(tuple[Any, ...], value)):
            yield f"{name}_{index}", word(one)
    else:
        yield name, word(value)


def word(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def symbolic(number: int, window: Window) -> Window:
    """The window with names in place of its values, for the statement."""
    page = window.page
    size = cast(Any, bindparam(f"p{number}_size", required=False))
    named = PageRequest(
        first=None if page.first is None else size,
        last=None if page.last is None else size,
        after=_named(f"p{number}_after", page.after),
        before=_named(f"p{number}_before", page.before),
    )
    wanted = {name: _bound(f"p{number}_{name}", value) for name, value in window.wanted._asdict().items()}
    return Window(type(window.wanted)(**wanted), named)


def _named(name: str, position: Position | None) -> Position | None:
    if position is None:
        return None
    at, id_ = (cast(Any, bindparam(f"{name}_{part}", required=False)) for part in ("at", "id"))
    return Position(at, id_)


def _bound(name: str, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, tuple):
        return cast(Any, bindparam(name, required=False))
    size = len(cast(tuple[Any, ...], value))
    return tuple(bindparam(f"{name}_{index}", type_=Text, required=False) for index in range(size))
