"""The selectors of an operation: which rows each of its lists and lookups reads.

Their shape, meaning which arguments are set and how long their lists are, determines the SQL. Their values are bound as
parameters, so one statement serves all selectors of a shape.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple, cast

from sqlalchemy import Text, bindparam

from app.store.images import ImageFilter
from app.store.members import MemberFilter
from app.store.pages import PageRequest, Position
from app.store.plan.dialects import Dialect

RowFilter = ImageFilter | MemberFilter


class Window(NamedTuple):
    """A page of the rows that match a filter."""

    row_filter: RowFilter
    page: PageRequest


class Ids(NamedTuple):
    """The ID of one object, or a list of IDs."""

    ids: tuple[str, ...]
    is_list: bool


Selector = Window | Ids


def shape(selectors: Sequence[Selector]) -> tuple[Any, ...]:
    """The properties of the selectors that determine the statement."""
    return tuple(_shape(selector) for selector in selectors)


def _shape(selector: Selector) -> tuple[Any, ...]:
    if isinstance(selector, Ids):
        return ()
    page = selector.page
    return page.first is None, page.after is None, page.before is None, *map(_size, selector.row_filter)


def _size(value: Any) -> int | None:
    """The length of a list, -1 for a single value, and None if unset."""
    if value is None:
        return None
    return len(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else -1


def parameters(selectors: Sequence[Selector], dialect: Dialect) -> dict[str, Any]:
    """The statement's parameters by name, in the driver's form."""
    return {
        name: value
        for number, selector in enumerate(selectors)
        for name, value in _parameters(number, selector, dialect)
    }


def _parameters(number: int, selector: Selector, dialect: Dialect) -> Iterator[tuple[str, Any]]:
    if isinstance(selector, Ids):
        yield f"p{number}_ids", dialect.ids_value(selector.ids) if selector.is_list else selector.ids[0]
        return
    yield f"p{number}_size", selector.page.size
    for name, position in (("after", selector.page.after), ("before", selector.page.before)):
        if position is not None:
            yield f"p{number}_{name}_at", dialect.time_value(position.created_at)
            yield f"p{number}_{name}_id", position.id
    for name, value in zip(selector.row_filter._fields, selector.row_filter, strict=True):
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
    """The window with bound parameters instead of values, for the statement."""
    page = window.page
    size = cast(Any, bindparam(f"p{number}_size", required=False))
    named = PageRequest(
        first=None if page.first is None else size,
        last=None if page.last is None else size,
        after=_named(f"p{number}_after", page.after),
        before=_named(f"p{number}_before", page.before),
    )
    row_filter = {name: _bound(f"p{number}_{name}", value) for name, value in window.row_filter._asdict().items()}
    return Window(type(window.row_filter)(**row_filter), named)


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
