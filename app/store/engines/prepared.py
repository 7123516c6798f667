"""Statements that are compiled once for each engine, without the cost of SQLAlchemy's execution."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Dialect, bindparam
from sqlalchemy.types import TypeEngine

Parameters = Mapping[str, Any]
Convert = Callable[[Any], Any] | None


class Connection(Protocol):
    """A connection for statements: SQLAlchemy's, or a direct one to the embedded store."""

    @property
    def dialect(self) -> Dialect: ...
    async def execute(self, statement: Any, parameters: Any = None) -> Any: ...
    async def scalar(self, statement: Any, parameters: Any = None) -> Any: ...
    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> Any: ...


class Compiled(NamedTuple):
    """A statement compiled for one engine, with the conversion of its parameters and rows."""

    sql: str
    values: Callable[[Parameters], Any]
    row: Callable[[Any], tuple[Any, ...]]


def slot(name: str, type_: TypeEngine[Any] | None = None) -> ColumnElement[Any]:
    """A parameter of a prepared statement. Compared with a column, it takes the column's type."""
    return bindparam(name, type_=type_, required=False)


class Prepared:
    """A statement with slots as parameters."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._for: dict[str, Compiled] = {}

    async def run(self, conn: Connection, **values: Any) -> None:
        compiled = self._compiled(conn.dialect)
        await conn.exec_driver_sql(compiled.sql, compiled.values(values))

    async def run_for_each(self, conn: Connection, many: Sequence[Parameters]) -> None:
        compiled = self._compiled(conn.dialect)
        await conn.exec_driver_sql(compiled.sql, [compiled.values(values) for values in many])

    async def rows(self, conn: Connection, **values: Any) -> list[tuple[Any, ...]]:
        compiled = self._compiled(conn.dialect)
        found = await conn.exec_driver_sql(compiled.sql, compiled.values(values))
        return [compiled.row(row) for row in found.fetchall()]

    def _compiled(self, dialect: Dialect) -> Compiled:
        found = self._for.get(dialect.name)
        if found is None:
            found = self._for[dialect.name] = _compile(self._statement, dialect)
        return found


def _compile(statement: Any, dialect: Dialect) -> Compiled:
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    columns: Any = getattr(statement, "selected_columns", ())
    results = [_own(column.type, dialect).result_processor(dialect, None) for column in columns]
    return Compiled(str(compiled), _values(compiled, dialect), _row(results))


def _row(results: Sequence[Convert]) -> Callable[[Any], tuple[Any, ...]]:
    converted = [(place, convert) for place, convert in enumerate(results) if convert is not None]
    if not converted:
        return tuple

    def row(found: Any) -> tuple[Any, ...]:
        values = list(found)
        for place, convert in converted:
            values[place] = convert(values[place])
        return tuple(values)

    return row


def _values(compiled: Any, dialect: Dialect) -> Callable[[Parameters], Any]:
    """Make a function that converts parameters to the driver's form, positional or by name."""
    own: dict[str, Any] = {}
    converts: dict[str, Callable[[Any], Any]] = {}
    for name, value in compiled.params.items():
        bound = compiled.binds.get(name)
        convert = None if bound is None else _own(bound.type, dialect).bind_processor(dialect)
        if value is not None:
            own[name] = value if convert is None else convert(value)
        elif convert is not None:
            converts[name] = convert

    def named(values: Parameters) -> dict[str, Any]:
        found = {**own, **values}
        for name, convert in converts.items():
            found[name] = convert(found[name])
        return found

    if not dialect.positional:
        return named
    if len(compiled.positiontup) < 2:
        return lambda values: tuple(named(values)[name] for name in compiled.positiontup)
    in_order = itemgetter(*compiled.positiontup)
    return lambda values: in_order(named(values))


def _own(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return type_.dialect_impl(dialect)
