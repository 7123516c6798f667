"""Rows of a table as tuples: immutable, quick to make, and with the columns that the table declares."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self, TypeVar

from sqlmodel import SQLModel

T = TypeVar("T", bound=SQLModel)


class Row:
    """The methods of a named tuple under public names."""

    __slots__ = ()
    _make: Any
    _replace: Any
    _asdict: Any

    # The default values of the columns that have one.
    _defaults: Any

    @classmethod
    def new(cls, **values: Any) -> Self:
        """Make a row of these values. A column that is left out has the default of the table."""
        return cls(**{**cls._defaults, **values})

    @classmethod
    def from_values(cls, values: Iterable[Any]) -> Self:
        """Make a row of its values, in the order of the columns."""
        return cls._make(values)

    def replace(self, **changes: Any) -> Self:
        """Copy the row with other values in some columns."""
        return self._replace(**changes)

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


def named_tuple(table: type[T]) -> type[T]:
    """A named tuple type with the columns of the table; to the type checker it is the table's own class."""
    make: Any = NamedTuple
    columns = make(table.__name__, [(name, field.annotation) for name, field in table.model_fields.items()])
    columns._defaults = defaults(table)
    return columns


def defaults(table: type[SQLModel]) -> dict[str, Any]:
    """The default values of the columns that have one."""
    fields = table.model_fields.items()
    return {name: field.get_default(call_default_factory=True) for name, field in fields if not field.is_required()}
