"""The lists that a plan can read: of which object they hang, and their rows. The rights are those of all queries."""

from collections.abc import Callable
from typing import cast

from app.store import images, member_paths
from app.store.access_paths import AccessPath
from app.store.images import ImageFilter
from app.store.member_paths import MemberFilter
from app.store.plan.scope import VIEWER, Rows, Scope
from app.store.plan.windows import Wanted


def _listed(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image()
    paths = images.listed_paths(scope.rights, cast(ImageFilter, wanted))
    return Rows(paths, scope.image, scope.among(scope.image), "image", is_sorted=len(paths) == 1)


def _of_tenant(scope: Scope, wanted: Wanted) -> Rows:
    tenant, scope = scope.tenant, scope.with_image()
    paths = images.paths_of_owner(scope.rights, tenant, cast(ImageFilter, wanted))
    if tenant is VIEWER:
        # Its own images are not shared to it.
        paths, scope = paths[:1], scope.with_own_image()
    return Rows(paths, scope.image, scope.among(scope.image).of_a_party(), "image", is_sorted=len(paths) == 1)


def _offered(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image().with_member()
    wanted = cast(MemberFilter, wanted)
    is_sorted = wanted.status is not None and len(wanted.status) == 1
    # Nobody is offered an image of its own.
    return _of_members(scope.with_image_of_another(), member_paths.offered_path(scope.rights, wanted), is_sorted)


def _sent(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image().with_member()
    path = member_paths.sent_path(scope.rights, cast(MemberFilter, wanted))
    return _of_members(scope.with_own_image(), path, is_sorted=False)


def _of_image(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_member()
    of_this = scope.member.c.image_id == scope.image.c.id
    seen = member_paths.seen_where(scope.rights, cast(MemberFilter, wanted), owns_image=scope.owns_image is True)
    path = AccessPath(scope.member, (of_this, *seen))
    return Rows([path], scope.member, scope.among(scope.member).of_a_party(), "member", is_sorted=True)


def _of_members(scope: Scope, path: AccessPath, is_sorted: bool) -> Rows:
    inner = scope.among(scope.member, scope.image).of_a_party()
    return Rows([path], scope.member, inner, "member", is_sorted)


LISTS: dict[tuple[str, str], Callable[[Scope, Wanted], Rows]] = {
    ("root", "images"): _listed,
    ("root", "offers"): _offered,
    ("root", "sent_offers"): _sent,
    ("tenant", "images"): _of_tenant,
    ("image", "members"): _of_image,
}
