"""Renders the objects that a plan can read as JSON in SQL, choosing the form of each column by its type."""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Enum, Integer, case, func, select

from app.columns import Timestamp
from app.store.access_paths import OrderedJoin
from app.store.images import FOR_PARTIES_ONLY
from app.store.plan import pages, placeholders
from app.store.plan.dialects import NULL, Dialect, Sql, boolean, concat, json_object, number, plain, text
from app.store.plan.scope import Scope
from app.store.plan.tree import ById, Constant, Leaf, Nested, PagePart, Part, Parts, Repeat
from app.store.rights import IMAGE, MEMBER, VIEWER

_FOR_PARTIES = {("image", column) for column in FOR_PARTIES_ONLY}
_TABLES = {"image": IMAGE, "member": MEMBER}


def render(kind: str, parts: Parts, scope: Scope) -> Sql:
    """Render the current object of a scope as JSON."""
    return json_object((part.key, _value(kind, part, scope)) for part in parts)


def root(parts: Parts, scope: Scope) -> Sql:
    """Render the root object. Root fields with equal values are read once and then referenced."""
    repeated = {part.source_key for part in parts if isinstance(part, Repeat)}
    shared = [part.key for part in parts if part.key in repeated]

    def value(part: Part) -> Sql:
        if isinstance(part, Repeat):
            return text(placeholders.reference(shared.index(part.source_key)))
        found = _value("root", part, scope)
        return concat(text(placeholders.SHARED), found, text(placeholders.SHARED)) if part.key in shared else found

    return json_object((part.key, value(part)) for part in parts)


def _value(kind: str, part: Part, scope: Scope) -> Sql:
    if isinstance(part, Constant):
        return text(f'"{part.word}"')
    if isinstance(part, Leaf):
        return _leaf(kind, part.column, scope)
    if isinstance(part, Nested):
        return RELATIONS[kind, part.relation](part.parts, scope)
    if isinstance(part, PagePart):
        return pages.render_page(kind, part, scope, render)
    assert isinstance(part, ById)
    return _by_id(part, scope)


def _leaf(kind: str, column: str, scope: Scope) -> Sql:
    if kind == "tenant":
        return TENANT[column](scope)
    rows = scope.member if kind == "member" else scope.image
    value = _json(scope.context.dialect, _TABLES[kind].c[column], rows.c[column])
    return _for_parties(value, scope) if (kind, column) in _FOR_PARTIES else value


def _json(dialect: Dialect, column: Column[Any], value: Any) -> Sql:
    """A column's value as JSON. New columns need no change here."""
    json = _json_by_type(dialect, column, value)
    return func.coalesce(json, NULL) if column.nullable else json


def _json_by_type(dialect: Dialect, column: Column[Any], value: Any) -> Sql:
    match column.type:
        case Timestamp():
            return plain(dialect.time(value))
        case Enum():
            return plain(value)
        case Boolean():
            return boolean(value)
        case Integer():
            return number(value)
        case JSON():
            return dialect.json(value)
        case _:
            # Row IDs are UUIDs, which need no escaping.
            return plain(value) if column.primary_key else dialect.quote(value)


def _for_parties(value: Sql, scope: Scope) -> Sql:
    return value if scope.is_party else case((scope.rights.is_party(), value), else_=NULL)


def _owner(parts: Parts, scope: Scope) -> Sql:
    return _for_parties(render("tenant", parts, _of_tenant(scope, scope.image.c.owner_id)), scope)


def _own_membership(parts: Parts, scope: Scope) -> Sql:
    inner = scope.with_member()
    row = render("member", parts, inner.selecting_from(inner.member).as_party())
    mine = select(row).where(inner.member.c.image_id == scope.image.c.id, inner.rights.is_consumer())
    return func.coalesce(scope.correlate(mine).scalar_subquery(), NULL)


def _of_tenant(scope: Scope, tenant: Any) -> Scope:
    return Scope(scope.context, tenant=tenant, outer=scope.outer)


# The format of tenant IDs excludes all characters that JSON escapes.
TENANT: dict[str, Callable[[Scope], Sql]] = {"id": lambda scope: plain(scope.tenant)}
COLUMNS: dict[str, Collection[str]] = {
    "image": frozenset(IMAGE.c.keys()),
    "member": frozenset(MEMBER.c.keys()),
    "tenant": TENANT,
    "root": (),
}
RELATIONS: dict[tuple[str, str], Callable[[Parts, Scope], Sql]] = {
    ("root", "viewer"): lambda parts, scope: render("tenant", parts, _of_tenant(scope, VIEWER)),
    ("image", "owner"): _owner,
    ("image", "viewer_membership"): _own_membership,
    ("member", "tenant"): lambda parts, scope: render("tenant", parts, _of_tenant(scope, scope.member.c.tenant_id)),
    # A viewer who sees a member row also sees its image, which is joined already.
    ("member", "image"): lambda parts, scope: render("image", parts, scope),
}


def _by_id(part: ById, scope: Scope) -> Sql:
    if not part.is_list:
        return _first_match(part, scope, scope.context.dialect.one_id(f"p{part.selector}_ids"))
    ids = scope.context.dialect.ids(f"p{part.selector}_ids")
    inner = scope.selecting_from(ids)
    items = scope.context.dialect.aggregate(_first_match(part, inner, ids.c.value), (ids.c.key,))
    listed = scope.correlate(select(items).select_from(ids)).scalar_subquery()
    return concat(text("["), func.coalesce(listed, text("")), text("]"))


def _first_match(part: ById, scope: Scope, id: Sql) -> Sql:
    """Return the first object with this ID among the selected kinds. Tenants only find themselves."""
    kinds = dict(part.parts_by_kind)
    found = [FINDERS[kind](kinds[kind], scope, id) for kind in FINDERS if kind in kinds]
    match = func.coalesce(*found, NULL) if found else NULL
    if "tenant" not in kinds:
        return match
    return case((id == VIEWER, render("tenant", kinds["tenant"], _of_tenant(scope, VIEWER))), else_=match)


def _image_by_id(parts: Parts, scope: Scope, id: Sql) -> Sql:
    inner = scope.with_image()
    row = render("image", parts, inner.selecting_from(inner.image))
    found = select(row).select_from(inner.image).where(*inner.rights.sees_named_image(id))
    return scope.correlate(found).scalar_subquery()


def _member_by_id(parts: Parts, scope: Scope, id: Sql) -> Sql:
    inner = scope.with_image().with_member()
    row = render("member", parts, inner.selecting_from(inner.member, inner.image).as_party())
    joined = OrderedJoin(inner.member, inner.image, inner.image.c.id == inner.member.c.image_id)
    found = select(row).select_from(joined).where(*inner.rights.sees_named_member(id))
    return scope.correlate(found).scalar_subquery()


FINDERS: dict[str, Callable[[Parts, Scope, Sql], Sql]] = {"image": _image_by_id, "member": _member_by_id}
