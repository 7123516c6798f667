"""The lists that a plan can read: of which object they hang, and their rows. The rights are those of all queries."""

from collections.abc import Callable
from typing import Any, cast

from app.store import images, members
from app.store.images import ImageFilter
from app.store.members import MemberFilter
from app.store.pages import sort_key
from app.store.plan.scope import Rows, Scope
from app.store.plan.windows import Wanted


def _listed(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image()
    return _of_images(scope, images.listed_where(scope.rights, cast(ImageFilter, wanted)))


def _of_tenant(scope: Scope, wanted: Wanted) -> Rows:
    tenant, scope = scope.tenant, scope.with_image()
    theirs = scope.image.c.owner_id == tenant
    return _of_images(scope, images.known_to_be_owned_where(scope.rights, theirs, cast(ImageFilter, wanted)))


def _offered(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image().with_member()
    return _of_members(scope, members.offered_where(scope.rights, cast(MemberFilter, wanted)))


def _sent(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_image().with_member()
    return _of_members(scope, members.sent_where(scope.rights, cast(MemberFilter, wanted)))


def _of_image(scope: Scope, wanted: Wanted) -> Rows:
    scope = scope.with_member()
    of_this = scope.member.c.image_id == scope.image.c.id
    where = [of_this, *members.seen_where(scope.rights, cast(MemberFilter, wanted))]
    return Rows(scope.member, where, sort_key(scope.member), scope.among(scope.member), "member")


def _of_images(scope: Scope, where: list[Any]) -> Rows:
    return Rows(scope.image, where, sort_key(scope.image), scope.among(scope.image), "image")


def _of_members(scope: Scope, where: list[Any]) -> Rows:
    joined = scope.member.join(scope.image, scope.image.c.id == scope.member.c.image_id)
    return Rows(joined, where, sort_key(scope.member), scope.among(scope.member, scope.image), "member")


LISTS: dict[tuple[str, str], Callable[[Scope, Wanted], Rows]] = {
    ("root", "images"): _listed,
    ("root", "offers"): _offered,
    ("root", "sent_offers"): _sent,
    ("tenant", "images"): _of_tenant,
    ("image", "members"): _of_image,
}
