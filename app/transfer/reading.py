"""Reads the lines of an import: the form of each value is checked, whatever the other lines and the store hold."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from app.errors import BadUserInput, Malformed
from app.model import SeenImage, SeenMember
from app.sharing import formats, rules
from app.sharing.problems import Mistakes
from app.transfer.lines import COLUMNS, TYPE, Column, Row

BATCH = 1_000
# The longest valid line is shorter by far.
_LINE_BYTES = 100_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_NAMES = {kind: {column.name for column in columns} for kind, columns in COLUMNS.items()}
# The columns of an image whose values have a form of their own.
_IDS, _PARTIES = ("id", "image_id"), ("owner_id", "tenant_id")
_FREE = [
    column.column
    for column in COLUMNS["image"]
    if column.type in (str, int, list[str]) and column.column not in (*_IDS, *_PARTIES)
]


class Line(NamedTuple):
    """A line of the file: its row, or why it has none."""

    number: int
    row: Row | None
    mistakes: tuple[BadUserInput, ...] = ()


def batches(source: BinaryIO, parse: Callable[[bytes], Row]) -> Iterator[list[Line]]:
    """The lines of the file, many at a time. Blank ones are left out."""
    batch: list[Line] = []
    for number, text in enumerate(_lines(source), 1):
        if text.strip() or len(text) > _LINE_BYTES:
            batch.append(_line(number, text, parse))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines, of which one that is too long is cut off just after the limit."""
    while line := source.readline(_LINE_BYTES + 1):
        rest = line
        while not rest.endswith(b"\n") and (rest := source.readline(_LINE_BYTES)):
            pass
        yield line


def _line(number: int, text: bytes, parse: Callable[[bytes], Row]) -> Line:
    try:
        return Line(number, parse(text))
    except BadUserInput as mistake:
        return Line(number, None, (mistake,))
    except Malformed as malformed:
        return Line(number, None, malformed.mistakes)


def row_of(text: bytes, tenant_id_pattern: str, now: datetime) -> Row:
    """The row that a line holds. Raises BadUserInput, or Malformed with every mistake."""
    values = _object(text)
    kind = values.pop(TYPE, None)
    if kind not in COLUMNS:
        raise BadUserInput(f"Give one of {', '.join(COLUMNS)}.", (TYPE,))
    mistakes = Mistakes()
    for name in values.keys() - _NAMES[kind]:
        mistakes.found.append(BadUserInput("There is no such field.", (name,)))
    columns = _values(COLUMNS[kind], values, tenant_id_pattern, mistakes)
    mistakes.require_none()
    columns["updated_at"] = columns["updated_at"] or columns["created_at"]
    mistakes.check(_times, columns["created_at"], columns["updated_at"], now)
    if kind == "image":
        mistakes.check(rules.has_no_other_origin, columns["origin"], columns["server_id"], columns["source_url"])
        mistakes.check(formats.image_columns, {name: columns[name] for name in _FREE if columns[name] is not None})
    mistakes.require_none()
    return SeenImage(**columns) if kind == "image" else SeenMember(**columns)


def _values(
    columns: Iterable[Column], values: dict[str, Any], tenant_id_pattern: str, mistakes: Mistakes
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column in columns:
        try:
            found[column.column] = _value(column, values, tenant_id_pattern)
        except BadUserInput as mistake:
            mistakes.found.append(mistake)
    return found


def _object(text: bytes) -> dict[str, Any]:
    if len(text) > _LINE_BYTES:
        raise BadUserInput(f"A line has at most {_LINE_BYTES} bytes.")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadUserInput(f"This is not JSON in UTF-8: {error.msg}.") from None
    if not isinstance(value, dict):
        raise BadUserInput("Each line is one JSON object.")
    return cast(dict[str, Any], value)


def _value(column: Column, values: dict[str, Any], tenant_id_pattern: str) -> Any:
    name = column.name
    if name not in values:
        if column.is_required and column.column != "updated_at":
            raise BadUserInput("This field is required.", (name,))
        return column.default
    value = values[name]
    if value is None:
        if not column.is_nullable:
            raise BadUserInput("This field can't be null.", (name,))
        return None
    value = _reader(column.type)(value, name)
    if column.column in _IDS:
        return _uuid(value, name)
    return formats.tenant_id(value, tenant_id_pattern, name) if column.column in _PARTIES else value


@cache
def _reader(type_: Any) -> Callable[[Any, str], Any]:
    """Make a function that converts a JSON value to a type of columns."""
    if type_ is datetime:
        return _time
    if type_ == list[str]:
        return _strings
    if issubclass(type_, StrEnum):
        words = {str(word): word for word in type_}
        return partial(_word, words)
    return partial(_scalar, type_)


def _scalar(type_: Any, value: Any, name: str) -> Any:
    # `True` is an instance of int too.
    if type(value) is not type_:
        raise BadUserInput(f"Give {_KINDS[type_]}.", (name,))
    return value


def _strings(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast(list[Any], value)):
        raise BadUserInput("Give a list of strings.", (name,))
    return cast(list[str], value)


_KINDS: dict[Any, str] = {str: "a string", int: "an integer", bool: "true or false"}


def _word(words: Mapping[str, StrEnum], value: Any, name: str) -> StrEnum:
    try:
        return words[value]
    except (KeyError, TypeError):
        raise BadUserInput(f"Give one of {', '.join(words)}.", (name,)) from None


def _uuid(value: str, name: str) -> str:
    if (id := formats.uuid(value)) is None:
        raise BadUserInput("Give a UUID with dashes.", (name,))
    return id


def _time(value: Any, name: str) -> datetime:
    try:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise ValueError
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadUserInput("Give a time with its offset, such as 2026-11-23T20:09:00.000000Z.", (name,)) from None


def _times(created_at: datetime, updated_at: datetime, now: datetime) -> None:
    if updated_at < created_at:
        raise BadUserInput("This is before createdAt.", ("updatedAt",))
    if updated_at > now:
        raise BadUserInput("This is in the future.", ("updatedAt",))
