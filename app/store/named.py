"""Constant-time lookup of rows that a caller names: hidden and missing rows cost the same.

A lookup that stops early, because no row is found or a right is missing, reveals that by its time. So the lookup always
reads a row, the nearest one if the ID does not exist, and evaluates all conditions: whether it has the ID, and whether
the caller may see it.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    case,
    column,
    func,
    literal_column,
    select,
    values,
)

from app.model import Member
from app.store.constant_work import Address
from app.store.engines.prepared import slot

Sql = ColumnElement[Any]
_MEMBER: Any = Member
# IDs are random, so towards the middle there is a row on either side of each: none is beside nothing.
_MIDDLE: Sql = literal_column("'8'", Text)


def slots(size: int) -> list[ColumnElement[Any]]:
    """So many IDs as parameters of a prepared statement; `ids_for` has their values."""
    return [slot(f"id_{n}", Text()) for n in range(size)]


def each_of(size: int) -> CTE:
    """One row with the column `value` for each of so many IDs."""
    return values(column("value", Text), name="ids").data([(id,) for id in slots(size)]).cte("named")


def ids_for(ids: Collection[str]) -> dict[str, str]:
    """The values of `slots`. The last ID repeats up to a power of two, so that there are few statements."""
    distinct = list(dict.fromkeys(ids))
    padding = (1 << (len(distinct) - 1).bit_length()) - len(distinct)
    return {f"id_{n}": id for n, id in enumerate(distinct + distinct[-1:] * padding)}


def is_beside(table: FromClause, id: Sql) -> Sql:
    """The row has this ID, or there is none that has it and this is one beside its place."""
    row: Any = table.alias()
    statement = select(Address(row.c.id)).correlate_except(row).limit(literal_column("1", Integer))
    above = statement.where(row.c.id >= id).order_by(row.c.id).scalar_subquery()
    below = statement.where(row.c.id <= id).order_by(row.c.id.desc()).scalar_subquery()
    return Address(table.c.id) == case((id < _MIDDLE, above), else_=below)


def has_member(image_id: Sql, tenant_id: Any) -> Sql:
    """The tenant has a member row on the image, whatever row is at hand."""
    row: Any = _MEMBER.__table__.alias()
    found = select(row.c.tenant_id).where(row.c.image_id == image_id, row.c.tenant_id == tenant_id)
    return func.coalesce(found.correlate_except(row).scalar_subquery(), literal_column("''", Text)) == tenant_id
