"""SQL expressions that write JSON, for each engine. Each yields text that is copied into the response unchanged."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Protocol
from typing import cast as cast_type

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnClause,
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.operators import concat_op

from app.store.keyset_windows import BOUNDED, LAZY, RowLimits
from app.store.pages import Position
from app.store.plan.concatenation import NonNullConcat

Sql = ColumnElement[Any]
KeysetColumns = tuple[Sql, ...]
TIME_LENGTH = len("2026-01-01T00:00:00.000000Z")
NULL = literal_column("'null'", Text)
ZERO = literal_column("0", Integer)


def text(value: str) -> Sql:
    """A string constant: a schema name or JSON punctuation, never client input."""
    assert "'" not in value
    return literal_column(f"'{value}'", Text)


def concat(*pieces: Sql) -> Sql:
    """Concatenate text. Adjacent constants are merged, since each operator costs time for every row."""
    return reduce(lambda left, right: left.concat(right), _merge_constants(pieces))


def concat_non_null(*pieces: Sql) -> Sql:
    """Concatenate pieces that are never NULL."""
    return NonNullConcat(*_merge_constants(pieces))


def json_object(fields: Iterable[tuple[str, Sql]]) -> Sql:
    """A JSON object with these fields."""
    pieces: list[Sql] = []
    for index, (key, value) in enumerate(fields):
        pieces += [text(f'{"," if index else "{"}"{key}":'), value]
    return concat_non_null(*pieces, text("}" if pieces else "{}"))


def _merge_constants(pieces: Iterable[Sql]) -> list[Sql]:
    whole: list[Sql] = []
    for piece in (part for one in pieces for part in _flatten(one)):
        if whole and _is_constant(whole[-1]) and _is_constant(piece):
            whole[-1] = text(_literal(whole[-1])[1:-1] + _literal(piece)[1:-1])
        else:
            whole.append(piece)
    return whole


def _flatten(piece: Sql) -> Iterable[Sql]:
    if isinstance(piece, NonNullConcat):
        return cast_type(Iterable[Sql], piece.clauses)
    is_concatenation = getattr(piece, "operator", None) is concat_op
    return cast_type(Iterable[Sql], piece.get_children()) if is_concatenation else (piece,)


def _is_constant(piece: Sql) -> bool:
    return getattr(piece, "is_literal", False) and _literal(piece).startswith("'")


def _literal(piece: Sql) -> str:
    """The SQL of a literal column, read directly because `str` would run a compiler for each."""
    return cast_type(ColumnClause[Any], piece).name


def plain(column: Sql) -> Sql:
    """A JSON string that needs no escaping, such as an ID or an enum value."""
    return concat(text('"'), column, text('"'))


def number(column: Sql) -> Sql:
    return cast(column, Text)


def boolean(column: Sql) -> Sql:
    return case((column, text("true")), else_=text("false"))


def placeholder(mark: str, *values: Sql) -> Sql:
    """A value that `placeholders.complete` fills in."""
    return plain(concat(text(mark), *values, text(mark)) if values else text(mark))


def _with_constants_in_text(dialect: Any) -> Any:
    """Make a dialect write constants into the SQL, where the query planner sees them; other values stay parameters."""

    visit = dialect.statement_compiler.visit_bindparam

    class ConstantsInText(dialect.statement_compiler):
        def visit_bindparam(self, bindparam: Any, literal_binds: bool = False, **words: Any) -> str:
            is_constant = bindparam.value is not None
            return visit(self, bindparam, literal_binds=literal_binds or is_constant, **words)

    dialect.statement_compiler = ConstantsInText
    return dialect


def _position(created_at: Sql, id: Sql) -> Position:
    return Position(cast_type(Any, created_at), cast_type(Any, id))


class Dialect(Protocol):
    """The SQL that differs between engines. `position` reads the columns that `newest` and `oldest` return."""

    compiler: Any
    limits: RowLimits

    def quote(self, column: Sql) -> Sql: ...
    def json(self, column: Sql) -> Sql: ...
    def time(self, column: Sql) -> Sql: ...
    def aggregate(self, item: Sql, order: tuple[Sql, ...]) -> Sql: ...
    def newest(self, created_at: Sql, id: Sql) -> KeysetColumns: ...
    def oldest(self, created_at: Sql, id: Sql) -> KeysetColumns: ...
    def position(self, columns: KeysetColumns) -> Position: ...
    def one_id(self, name: str) -> Sql: ...
    def ids(self, name: str) -> Any: ...
    def time_value(self, moment: datetime) -> Any: ...
    def ids_value(self, ids: tuple[str, ...]) -> Any: ...
    def within_size(self, query: Any) -> Select[Any]:
        """Return NULL for a response that is too large, unless the connection enforces the limit itself."""
        ...


class Sqlite:
    compiler = _with_constants_in_text(sqlite.dialect(paramstyle="named"))
    limits = LAZY

    def quote(self, column: Sql) -> Sql:
        return func.json_quote(column)

    def time(self, column: Sql) -> Sql:
        return type_coerce(column, Text)

    def json(self, column: Sql) -> Sql:
        return column

    def aggregate(self, item: Sql, order: tuple[Sql, ...]) -> Sql:
        # The subquery has already sorted the rows.
        return func.group_concat(item, text(","))

    def newest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        return (func.max(self.time(created_at).concat(id)),)

    def oldest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        return (func.min(self.time(created_at).concat(id)),)

    def position(self, columns: KeysetColumns) -> Position:
        [both] = columns
        return _position(func.substr(both, 1, TIME_LENGTH), func.substr(both, 1 + TIME_LENGTH))

    def one_id(self, name: str) -> Sql:
        return bindparam(name, type_=Text, required=False)

    def ids(self, name: str) -> Any:
        return func.json_each(bindparam(name, type_=Text, required=False)).table_valued("key", "value")

    def time_value(self, moment: datetime) -> Any:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def ids_value(self, ids: tuple[str, ...]) -> Any:
        return orjson.dumps(ids).decode()

    def within_size(self, query: Any) -> Select[Any]:
        return query


class Postgres:
    compiler = _with_constants_in_text(postgresql.psycopg.dialect())
    limits = BOUNDED

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = literal_column(str(most_bytes), Integer)

    def quote(self, column: Sql) -> Sql:
        return cast(func.to_json(cast(column, Text)), Text)

    def time(self, column: Sql) -> Sql:
        return func.to_char(func.timezone(text("UTC"), column), text('YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))

    def json(self, column: Sql) -> Sql:
        return cast(column, Text)

    def aggregate(self, item: Sql, order: tuple[Sql, ...]) -> Sql:
        return func.string_agg(item, aggregate_order_by(text(","), *order))

    def newest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        order = created_at.desc(), id.desc()
        return func.max(created_at), func.array_agg(aggregate_order_by(id, *order), type_=ARRAY(Text))[1]

    def oldest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        order = created_at.asc(), id.asc()
        return func.min(created_at), func.array_agg(aggregate_order_by(id, *order), type_=ARRAY(Text))[1]

    def position(self, columns: KeysetColumns) -> Position:
        return _position(*columns)

    def one_id(self, name: str) -> Sql:
        return bindparam(name, type_=Text, required=False)

    def ids(self, name: str) -> Any:
        values = bindparam(name, type_=ARRAY(Text), required=False)
        return func.unnest(values).table_valued("value", with_ordinality="key").render_derived()

    def time_value(self, moment: datetime) -> Any:
        return moment

    def ids_value(self, ids: tuple[str, ...]) -> Any:
        return list(ids)

    def within_size(self, query: Any) -> Select[Any]:
        # OFFSET 0 keeps the planner from inlining the subquery, which would build the text twice.
        whole: Any = query.offset(literal_column("0")).subquery().c
        is_small: Any = func.octet_length(whole.whole) <= self._most_bytes
        return cast_type(Any, select)(case((is_small, whole.whole)), whole.seq)
