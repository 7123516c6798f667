"""The lines of an export: each is an image or a member as JSON, with the columns under their names in the schema.

The columns follow from the tables, so a new one needs no change here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

import orjson

from app.model import Image, Member, SeenImage, SeenMember
from app.rows import defaults

Row = SeenImage | SeenMember
TYPE = "type"
_KINDS: dict[str, tuple[type[Any], type[Row]]] = {"image": (Image, SeenImage), "member": (Member, SeenMember)}


class Column(NamedTuple):
    """A column in a line: its name there, the type of its values, and its default, if it has one."""

    name: str
    column: str
    type: Any
    is_nullable: bool
    is_required: bool
    default: Any = None


def _camel_case(column: str) -> str:
    first, *others = column.split("_")
    return first + "".join(map(str.title, others))


def _columns(table: type[Any]) -> tuple[Column, ...]:
    given = defaults(table)
    return tuple(_column(name, field.annotation, given) for name, field in table.model_fields.items())


def _column(column: str, annotation: Any, given: Mapping[str, Any]) -> Column:
    kinds = get_args(annotation) if type(None) in get_args(annotation) else ()
    type_ = next((kind for kind in kinds if kind is not type(None)), annotation)
    return Column(_camel_case(column), column, type_, bool(kinds), column not in given, given.get(column))


COLUMNS = {kind: _columns(table) for kind, (table, _) in _KINDS.items()}


def write(row: Row) -> bytes:
    """The line of a row, with its line break."""
    kind = "image" if isinstance(row, SeenImage) else "member"
    values = {column.name: _json(value) for column, value in zip(COLUMNS[kind], row, strict=True)}
    return orjson.dumps({TYPE: kind, **values}, option=orjson.OPT_APPEND_NEWLINE)


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    return value
