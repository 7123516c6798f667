"""The objects that a plan can read, as JSON in SQL. Columns are rendered by their types."""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Enum, Integer, case, func, select

from app.columns import Timestamp
from app.store.access_paths import OrderedJoin
from app.store.images import FOR_PARTIES_ONLY
from app.store.plan import pages, placeholders
from app.store.plan.dialects import NULL, Dialect, Sql, braces, concatenated, number, plain, text, truth
from app.store.plan.scope import Scope
from app.store.plan.tree import Again, ById, Fixed, Leaf, One, Page, Part, Parts
from app.store.rights import IMAGE, MEMBER, VIEWER

_TO_PARTIES = {("image", column) for column in FOR_PARTIES_ONLY}
_TABLES = {"image": IMAGE, "member": MEMBER}


def shown(kind: str, parts: Parts, scope: Scope) -> Sql:
    """An object of the scope, as JSON."""
    return braces((part.key, _value(kind, part, scope)) for part in parts)


def root(parts: Parts, scope: Scope) -> Sql:
    """The whole answer. What several of its fields are is read for the first of them."""
    repeated = {part.of for part in parts if isinstance(part, Again)}
    kept = [part.key for part in parts if part.key in repeated]

    def value(part: Part) -> Sql:
        if isinstance(part, Again):
            return text(placeholders.again(kept.index(part.of)))
        found = _value("root", part, scope)
        return concatenated(text(placeholders.KEPT), found, text(placeholders.KEPT)) if part.key in kept else found

    return braces((part.key, value(part)) for part in parts)


def _value(kind: str, part: Part, scope: Scope) -> Sql:
    if isinstance(part, Fixed):
        return text(f'"{part.word}"')
    if isinstance(part, Leaf):
        return _leaf(kind, part.column, scope)
    if isinstance(part, One):
        return ONES[kind, part.relation](part.parts, scope)
    if isinstance(part, Page):
        return pages.shown(kind, part, scope, shown)
    assert isinstance(part, ById)
    return _by_id(part, scope)


def _leaf(kind: str, column: str, scope: Scope) -> Sql:
    if kind == "tenant":
        return TENANT[column](scope)
    rows = scope.member if kind == "member" else scope.image
    value = _json(scope.of.dialect, _TABLES[kind].c[column], rows.c[column])
    return _to_parties(value, scope) if (kind, column) in _TO_PARTIES else value


def _json(dialect: Dialect, column: Column[Any], value: Any) -> Sql:
    """The JSON of a column's value, by the column's type. A new column needs nothing here."""
    json = _json_by_type(dialect, column, value)
    return func.coalesce(json, NULL) if column.nullable else json


def _json_by_type(dialect: Dialect, column: Column[Any], value: Any) -> Sql:
    match column.type:
        case Timestamp():
            return plain(dialect.time(value))
        case Enum():
            return plain(value)
        case Boolean():
            return truth(value)
        case Integer():
            return number(value)
        case JSON():
            return dialect.json(value)
        case _:
            # The IDs of rows are UUIDs, in which there is nothing to escape.
            return plain(value) if column.primary_key else dialect.quoted(value)


def _to_parties(value: Sql, scope: Scope) -> Sql:
    return value if scope.is_party else case((scope.rights.is_party(), value), else_=NULL)


def _owner(parts: Parts, scope: Scope) -> Sql:
    return _to_parties(shown("tenant", parts, _of_tenant(scope, scope.image.c.owner_id)), scope)


def _own_membership(parts: Parts, scope: Scope) -> Sql:
    inner = scope.with_member()
    row = shown("member", parts, inner.among(inner.member).of_a_party())
    mine = select(row).where(inner.member.c.image_id == scope.image.c.id, inner.rights.is_consumer())
    return func.coalesce(scope.inside(mine).scalar_subquery(), NULL)


def _of_tenant(scope: Scope, tenant: Any) -> Scope:
    return Scope(scope.of, tenant=tenant, seen=scope.seen)


# The form of tenant IDs leaves nothing in them that JSON would have escaped.
TENANT: dict[str, Callable[[Scope], Sql]] = {"id": lambda scope: plain(scope.tenant)}
COLUMNS: dict[str, Collection[str]] = {
    "image": frozenset(IMAGE.c.keys()),
    "member": frozenset(MEMBER.c.keys()),
    "tenant": TENANT,
    "root": (),
}
ONES: dict[tuple[str, str], Callable[[Parts, Scope], Sql]] = {
    ("root", "viewer"): lambda parts, scope: shown("tenant", parts, _of_tenant(scope, VIEWER)),
    ("image", "owner"): _owner,
    ("image", "viewer_membership"): _own_membership,
    ("member", "tenant"): lambda parts, scope: shown("tenant", parts, _of_tenant(scope, scope.member.c.tenant_id)),
    # Who sees a member row sees its image, and it is at hand.
    ("member", "image"): lambda parts, scope: shown("image", parts, scope),
}


def _by_id(part: ById, scope: Scope) -> Sql:
    if not part.is_list:
        return _found(part, scope, scope.of.dialect.one_id(f"p{part.place}_ids"))
    ids = scope.of.dialect.ids(f"p{part.place}_ids")
    inner = scope.among(ids)
    items = scope.of.dialect.joined(_found(part, inner, ids.c.value), (ids.c.key,))
    listed = scope.inside(select(items).select_from(ids)).scalar_subquery()
    return concatenated(text("["), func.coalesce(listed, text("")), text("]"))


def _found(part: ById, scope: Scope, id: Sql) -> Sql:
    """The first that there is of the kinds; a tenant is found by nobody but itself."""
    kinds = dict(part.of_kind)
    found = [FINDERS[kind](kinds[kind], scope, id) for kind in FINDERS if kind in kinds]
    there = func.coalesce(*found, NULL) if found else NULL
    if "tenant" not in kinds:
        return there
    return case((id == VIEWER, shown("tenant", kinds["tenant"], _of_tenant(scope, VIEWER))), else_=there)


def _image_by_id(parts: Parts, scope: Scope, id: Sql) -> Sql:
    inner = scope.with_image()
    row = shown("image", parts, inner.among(inner.image))
    found = select(row).select_from(inner.image).where(*inner.rights.sees_named_image(id))
    return scope.inside(found).scalar_subquery()


def _member_by_id(parts: Parts, scope: Scope, id: Sql) -> Sql:
    inner = scope.with_image().with_member()
    row = shown("member", parts, inner.among(inner.member, inner.image).of_a_party())
    joined = OrderedJoin(inner.member, inner.image, inner.image.c.id == inner.member.c.image_id)
    found = select(row).select_from(joined).where(*inner.rights.sees_named_member(id))
    return scope.inside(found).scalar_subquery()


FINDERS: dict[str, Callable[[Parts, Scope, Sql], Sql]] = {"image": _image_by_id, "member": _member_by_id}
