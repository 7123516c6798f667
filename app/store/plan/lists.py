"""The lists that a plan can read: of which object they hang, and their rows. The rights are those of all queries."""

from collections.abc import Callable
from typing import cast

from app.store import images, members
from app.store.access_paths import Way
from app.store.images import ImageFilter
from app.store.members import MemberFilter
from app.store.plan.scope import VIEWER, Rows, Scope
from app.store.plan.windows import Wanted


def _listed(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image()
    ways = images.listed_ways(scope.rights, cast(ImageFilter, wanted))
    return Rows(ways, scope.image, scope.among(scope.image), "image", is_sorted=len(ways) == 1)


def _of_tenant(scope: Scope, wanted: Wanted) -> Rows:
    tenant, scope = scope.tenant, scope.with_image()
    ways = images.ways_of_owner(scope.rights, tenant, cast(ImageFilter, wanted))
    # The viewer's own images are not shared to it.
    ways = ways[:1] if tenant is VIEWER else ways
    return Rows(ways, scope.image, scope.among(scope.image).of_a_party(), "image", is_sorted=len(ways) == 1)


def _offered(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image().with_member()
    wanted = cast(MemberFilter, wanted)
    is_sorted = wanted.status is not None and len(wanted.status) == 1
    return _of_members(scope, members.offered_way(scope.rights, wanted), is_sorted)


def _sent(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image().with_member()
    return _of_members(scope, members.sent_way(scope.rights, cast(MemberFilter, wanted)), is_sorted=False)


def _of_image(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_member()
    of_this = scope.member.c.image_id == scope.image.c.id
    way = Way(scope.member, (of_this, *members.seen_where(scope.rights, cast(MemberFilter, wanted))))
    return Rows([way], scope.member, scope.among(scope.member).of_a_party(), "member", is_sorted=True)


def _of_members(scope: Scope, way: Way, is_sorted: bool) -> Rows:
    inner = scope.among(scope.member, scope.image).of_a_party()
    return Rows([way], scope.member, inner, "member", is_sorted)


LISTS: dict[tuple[str, str], Callable[[Scope, Wanted], Rows]] = {
    ("root", "images"): _listed,
    ("root", "offers"): _offered,
    ("root", "sent_offers"): _sent,
    ("tenant", "images"): _of_tenant,
    ("image", "members"): _of_image,
}
