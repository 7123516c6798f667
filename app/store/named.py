"""Rows that a caller names: what it may not see takes the work that what does not exist takes.

A lookup that stops where nothing is found, or at the first right that is missing, tells by its time how far it got. So
it reads the row beside the place that was named, whichever row that is, and one comparison says whether it is the row
that was named and whether the caller has a right to it.
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

Sql = ColumnElement[Any]
_MEMBER: Any = Member
ID_LENGTH = 36
# IDs are random, so towards the middle there is a row on either side of each: none is beside nothing.
_MIDDLE: Sql = literal_column("'8'", Text)


def all_equal(id: tuple[Sql, Sql], *others: tuple[Sql, Any]) -> Sql:
    """Whether the row has the ID and each of the values, first the column, then what it is compared with.

    It is one comparison, so it takes as long whichever of them differs. IDs have one length, so none runs on into
    the value behind it.
    """
    space = literal_column("' '", Text)
    kept, wanted = id[0], func.substr(id[1], literal_column("1"), literal_column(str(ID_LENGTH)), type_=Text)
    for column_, value in others:
        kept, wanted = kept.concat(space).concat(column_), wanted.concat(space).concat(value)
    return kept == wanted


def each_of(ids: Collection[str]) -> CTE:
    """One row with the column `value` for each different ID."""
    return values(column("value", Text), name="ids").data([(one,) for one in dict.fromkeys(ids)]).cte("named")


def row_beside(table: FromClause, id: Sql) -> Sql:
    """The ID of the row with this ID, else of one beside it."""
    row: Any = table.alias()
    statement = select(row.c.id).correlate_except(row).limit(literal_column("1", Integer))
    above = statement.where(row.c.id >= id).order_by(row.c.id).scalar_subquery()
    below = statement.where(row.c.id <= id).order_by(row.c.id.desc()).scalar_subquery()
    return case((id < _MIDDLE, above), else_=below)


def member_of(image_id: Sql, tenant_id: Any) -> Sql:
    """The tenant, if it has a member row on the image; else nothing, in a text."""
    row: Any = _MEMBER.__table__.alias()
    found = select(row.c.tenant_id).where(row.c.image_id == image_id, row.c.tenant_id == tenant_id)
    return func.coalesce(found.correlate_except(row).scalar_subquery(), literal_column("''", Text))
