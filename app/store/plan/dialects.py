"""JSON in SQL, as either engine writes it. Every value becomes text that stands in the answer as it is."""

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

from app.store.keyset_windows import BOUNDED, LAZILY, Limits
from app.store.pages import Position
from app.store.plan.concatenation import Written

Sql = ColumnElement[Any]
KeysetColumns = tuple[Sql, ...]
TIME_LENGTH = len("2026-01-01T00:00:00.000000Z")
NULL = literal_column("'null'", Text)
ZERO = literal_column("0", Integer)


def text(value: str) -> Sql:
    """Text of our own: names of the schema and signs of JSON, never anything that somebody sent."""
    assert "'" not in value
    return literal_column(f"'{value}'", Text)


def concatenated(*pieces: Sql) -> Sql:
    """One text after another. Those of our own that touch become one, since each seam costs at every row."""
    return reduce(lambda left, right: left.concat(right), _merged(pieces))


def written(*pieces: Sql) -> Sql:
    """Concatenation of pieces of which none is NULL."""
    return Written(*_merged(pieces))


def braces(fields: Iterable[tuple[str, Sql]]) -> Sql:
    """An object, from its keys and values."""
    pieces: list[Sql] = []
    for index, (key, value) in enumerate(fields):
        pieces += [text(f'{"," if index else "{"}"{key}":'), value]
    return written(*pieces, text("}" if pieces else "{}"))


def _merged(pieces: Iterable[Sql]) -> list[Sql]:
    whole: list[Sql] = []
    for piece in (part for one in pieces for part in _unfolded(one)):
        if whole and _is_ours(whole[-1]) and _is_ours(piece):
            whole[-1] = text(_literal(whole[-1])[1:-1] + _literal(piece)[1:-1])
        else:
            whole.append(piece)
    return whole


def _unfolded(piece: Sql) -> Iterable[Sql]:
    if isinstance(piece, Written):
        return cast_type(Iterable[Sql], piece.clauses)
    is_concatenation = getattr(piece, "operator", None) is concat_op
    return cast_type(Iterable[Sql], piece.get_children()) if is_concatenation else (piece,)


def _is_ours(piece: Sql) -> bool:
    return getattr(piece, "is_literal", False) and _literal(piece).startswith("'")


def _literal(piece: Sql) -> str:
    """The SQL of a literal column. `str` would have a compiler write it, which is most of the work of a statement."""
    return cast_type(ColumnClause[Any], piece).name


def plain(column: Sql) -> Sql:
    """A word that needs no escapes: an ID, a word of an enum."""
    return concatenated(text('"'), column, text('"'))


def number(column: Sql) -> Sql:
    return cast(column, Text)


def truth(column: Sql) -> Sql:
    return case((column, text("true")), else_=text("false"))


def marked(mark: str, *told: Sql) -> Sql:
    """A value of which `marks` knows the rest."""
    return plain(concatenated(text(mark), *told, text(mark)) if told else text(mark))


def _telling(dialect: Any) -> Any:
    """With the words of our own in the text, where the engine sees them when it plans; the rest are parameters."""

    told = dialect.statement_compiler.visit_bindparam

    class Telling(dialect.statement_compiler):
        def visit_bindparam(self, bindparam: Any, literal_binds: bool = False, **words: Any) -> str:
            is_ours = bindparam.value is not None
            return told(self, bindparam, literal_binds=literal_binds or is_ours, **words)

    dialect.statement_compiler = Telling
    return dialect


def _position(created_at: Sql, id: Sql) -> Position:
    return Position(cast_type(Any, created_at), cast_type(Any, id))


class Dialect(Protocol):
    """Where the engines differ. `newest` and `oldest` find where the ends of some rows stand, which `place` reads."""

    compiler: Any
    limits: Limits

    def quoted(self, column: Sql) -> Sql: ...
    def json(self, column: Sql) -> Sql: ...
    def time(self, column: Sql) -> Sql: ...
    def joined(self, item: Sql, order: tuple[Sql, ...]) -> Sql: ...
    def newest(self, created_at: Sql, id: Sql) -> KeysetColumns: ...
    def oldest(self, created_at: Sql, id: Sql) -> KeysetColumns: ...
    def place(self, columns: KeysetColumns) -> Position: ...
    def one_id(self, name: str) -> Sql: ...
    def ids(self, name: str) -> Any: ...
    def moment_given(self, moment: datetime) -> Any: ...
    def ids_given(self, ids: tuple[str, ...]) -> Any: ...
    def bounded(self, asked: Any) -> Select[Any]:
        """With nothing in place of a response that has too many bytes, where the connection does not see to it."""
        ...


class Sqlite:
    compiler = _telling(sqlite.dialect(paramstyle="named"))
    limits = LAZILY

    def quoted(self, column: Sql) -> Sql:
        return func.json_quote(column)

    def time(self, column: Sql) -> Sql:
        return type_coerce(column, Text)

    def json(self, column: Sql) -> Sql:
        return column

    def joined(self, item: Sql, order: tuple[Sql, ...]) -> Sql:
        # The rows come as the page below sorts them.
        return func.group_concat(item, text(","))

    def newest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        return (func.max(self.time(created_at).concat(id)),)

    def oldest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        return (func.min(self.time(created_at).concat(id)),)

    def place(self, columns: KeysetColumns) -> Position:
        [both] = columns
        return _position(func.substr(both, 1, TIME_LENGTH), func.substr(both, 1 + TIME_LENGTH))

    def one_id(self, name: str) -> Sql:
        return bindparam(name, type_=Text, required=False)

    def ids(self, name: str) -> Any:
        return func.json_each(bindparam(name, type_=Text, required=False)).table_valued("key", "value")

    def moment_given(self, moment: datetime) -> Any:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def ids_given(self, ids: tuple[str, ...]) -> Any:
        return orjson.dumps(ids).decode()

    def bounded(self, asked: Any) -> Select[Any]:
        return asked


class Postgres:
    compiler = _telling(postgresql.psycopg.dialect())
    limits = BOUNDED

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = literal_column(str(most_bytes), Integer)

    def quoted(self, column: Sql) -> Sql:
        return cast(func.to_json(cast(column, Text)), Text)

    def time(self, column: Sql) -> Sql:
        return func.to_char(func.timezone(text("UTC"), column), text('YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))

    def json(self, column: Sql) -> Sql:
        return cast(column, Text)

    def joined(self, item: Sql, order: tuple[Sql, ...]) -> Sql:
        return func.string_agg(item, aggregate_order_by(text(","), *order))

    def newest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        order = created_at.desc(), id.desc()
        return func.max(created_at), func.array_agg(aggregate_order_by(id, *order), type_=ARRAY(Text))[1]

    def oldest(self, created_at: Sql, id: Sql) -> KeysetColumns:
        order = created_at.asc(), id.asc()
        return func.min(created_at), func.array_agg(aggregate_order_by(id, *order), type_=ARRAY(Text))[1]

    def place(self, columns: KeysetColumns) -> Position:
        return _position(*columns)

    def one_id(self, name: str) -> Sql:
        return bindparam(name, type_=Text, required=False)

    def ids(self, name: str) -> Any:
        given = bindparam(name, type_=ARRAY(Text), required=False)
        return func.unnest(given).table_valued("value", with_ordinality="key").render_derived()

    def moment_given(self, moment: datetime) -> Any:
        return moment

    def ids_given(self, ids: tuple[str, ...]) -> Any:
        return list(ids)

    def bounded(self, asked: Any) -> Select[Any]:
        # The offset keeps the server from building the text once for each time that it is named.
        whole: Any = asked.offset(literal_column("0")).subquery().c
        is_small: Any = func.octet_length(whole.whole) <= self._most_bytes
        return cast_type(Any, select)(case((is_small, whole.whole)), whole.seq)
