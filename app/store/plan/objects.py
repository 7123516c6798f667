"""The objects that a plan can read, as JSON in SQL: one line for each of their fields."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import case, func, select

from app.store.access_paths import Driven
from app.store.images import FOR_PARTIES_ONLY
from app.store.plan import pages, placeholders
from app.store.plan.dialects import NULL, Dialect, Sql, braces, concatenated, number, plain, text, truth
from app.store.plan.scope import Scope
from app.store.plan.tree import Again, ById, Fixed, Leaf, One, Page, Part, Parts
from app.store.rights import VIEWER

Shown = Callable[[Dialect, Any], Sql]

IMAGE: dict[str, Shown] = {
    "id": lambda d, image: plain(image.id),
    "name": lambda d, image: d.quoted(image.name),
    "origin": lambda d, image: plain(image.origin),
    "server_id": lambda d, image: func.coalesce(d.quoted(image.server_id), NULL),
    "source_url": lambda d, image: func.coalesce(d.quoted(image.source_url), NULL),
    "status": lambda d, image: plain(image.status),
    "visibility": lambda d, image: plain(image.visibility),
    "size_bytes": lambda d, image: func.coalesce(number(image.size_bytes), NULL),
    "min_disk_gb": lambda d, image: number(image.min_disk_gb),
    "min_ram_mb": lambda d, image: number(image.min_ram_mb),
    "os_type": lambda d, image: func.coalesce(plain(image.os_type), NULL),
    "checksum": lambda d, image: func.coalesce(d.quoted(image.checksum), NULL),
    "tags": lambda d, image: d.json(image.tags),
    "protected": lambda d, image: truth(image.protected),
    "hidden": lambda d, image: truth(image.hidden),
    "created_at": lambda d, image: plain(d.time(image.created_at)),
    "updated_at": lambda d, image: plain(d.time(image.updated_at)),
}
MEMBER: dict[str, Shown] = {
    "id": lambda d, member: plain(member.id),
    "status": lambda d, member: plain(member.status),
    "created_at": lambda d, member: plain(d.time(member.created_at)),
    "updated_at": lambda d, member: plain(d.time(member.updated_at)),
}


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
    if kind == "member":
        return MEMBER[column](scope.of.dialect, scope.member.c)
    value = IMAGE[column](scope.of.dialect, scope.image.c)
    return _to_parties(value, scope) if column in FOR_PARTIES_ONLY else value


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
    """The first that there is of the kinds; a tenant is found by nobody but itself (P1)."""
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
    joined = Driven(inner.member, inner.image, inner.image.c.id == inner.member.c.image_id)
    found = select(row).select_from(joined).where(*inner.rights.sees_named_member(id))
    return scope.inside(found).scalar_subquery()


FINDERS: dict[str, Callable[[Parts, Scope, Sql], Sql]] = {"image": _image_by_id, "member": _member_by_id}
