"""The lists that a plan can read, by the kind of their parent. Access rules are those of every other query."""

from collections.abc import Callable
from typing import cast

from app.store import images, member_paths
from app.store.access_paths import AccessPath
from app.store.images import ImageFilter
from app.store.member_paths import MemberFilter
from app.store.plan.scope import VIEWER, Rows, Scope
from app.store.plan.windows import RowFilter


def _image_list(scope: Scope, row_filter: RowFilter) -> Rows:
    scope = scope.with_image()
    paths = images.list_paths(scope.rights, cast(ImageFilter, row_filter))
    return Rows(paths, scope.image, scope.selecting_from(scope.image), "image", is_sorted=len(paths) == 1)


def _tenant_images(scope: Scope, row_filter: RowFilter) -> Rows:
    tenant, scope = scope.tenant, scope.with_image()
    paths = images.paths_of_owner(scope.rights, tenant, cast(ImageFilter, row_filter))
    if tenant is VIEWER:
        # A tenant's own images are never shared to it, so the second path finds nothing.
        paths, scope = paths[:1], scope.with_own_image()
    return Rows(paths, scope.image, scope.selecting_from(scope.image).as_party(), "image", is_sorted=len(paths) == 1)


def _offers(scope: Scope, row_filter: RowFilter) -> Rows:
    scope = scope.with_image().with_member()
    row_filter = cast(MemberFilter, row_filter)
    is_sorted = row_filter.status is not None and len(row_filter.status) == 1
    # A tenant is never offered its own image.
    return _member_rows(scope.with_image_of_another(), member_paths.offered_path(scope.rights, row_filter), is_sorted)


def _sent_offers(scope: Scope, row_filter: RowFilter) -> Rows:
    scope = scope.with_image().with_member()
    path = member_paths.sent_path(scope.rights, cast(MemberFilter, row_filter))
    return _member_rows(scope.with_own_image(), path, is_sorted=False)


def _image_members(scope: Scope, row_filter: RowFilter) -> Rows:
    scope = scope.with_member()
    is_member_of_image = scope.member.c.image_id == scope.image.c.id
    seen = member_paths.seen_where(scope.rights, cast(MemberFilter, row_filter), owns_image=scope.owns_image is True)
    path = AccessPath(scope.member, (is_member_of_image, *seen))
    return Rows([path], scope.member, scope.selecting_from(scope.member).as_party(), "member", is_sorted=True)


def _member_rows(scope: Scope, path: AccessPath, is_sorted: bool) -> Rows:
    inner = scope.selecting_from(scope.member, scope.image).as_party()
    return Rows([path], scope.member, inner, "member", is_sorted)


LISTS: dict[tuple[str, str], Callable[[Scope, RowFilter], Rows]] = {
    ("root", "images"): _image_list,
    ("root", "offers"): _offers,
    ("root", "sent_offers"): _sent_offers,
    ("tenant", "images"): _tenant_images,
    ("image", "members"): _image_members,
}
