"""Access paths to the member rows that a viewer may see, and the conditions of their filters."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, literal, not_, type_coerce

from app.model import MemberStatus
from app.store.access_paths import AccessPath, OrderedJoin
from app.store.rights import Rights


class MemberFilter(NamedTuple):
    """A filter on member rows; None means any value."""

    status: tuple[MemberStatus, ...] | None = None
    image_id: str | None = None
    owner_id: str | None = None
    tenant_id: str | None = None


def offered_path(rights: Rights, row_filter: MemberFilter) -> AccessPath:
    """The path to the offers that the viewer has received; an image has at most one of them."""
    rows = OrderedJoin(rights.members, rights.images, rights.image.id == rights.member.image_id)
    if row_filter.image_id is None:
        return AccessPath(rows, (rights.is_consumer(), *conditions(rights, row_filter)))
    is_named = rights.member.image_id == rights.shared_image_named(_id(row_filter.image_id))
    return AccessPath(rows, (is_named, rights.is_consumer(), *conditions(rights, row_filter)))


def sent_path(rights: Rights, row_filter: MemberFilter) -> AccessPath:
    """The path to the offers that the viewer has made: the rows of its own images."""
    rows = OrderedJoin(rights.images, rights.members, rights.image.id == rights.member.image_id)
    if row_filter.image_id is None:
        return AccessPath(rows, (rights.is_producer(), *conditions(rights, row_filter)))
    is_named = rights.image.id == rights.own_image_named(_id(row_filter.image_id))
    return AccessPath(rows, (is_named, rights.is_producer(), *conditions(rights, row_filter)))


def seen_where(rights: Rights, row_filter: MemberFilter, owns_image: bool) -> Iterator[ColumnElement[bool]]:
    """The predicate for member rows of an image that the viewer can see.

    A consumer's row is found by its tenant, so its cost does not grow with the number of other consumers.
    """
    if not owns_image and not rights.viewer.is_operator:
        yield rights.is_consumer()
    yield from conditions(rights, row_filter)


def paths_of_images(rights: Rights, image_ids: Collection[str], row_filter: MemberFilter) -> list[AccessPath]:
    """The paths to the rows of some images: all rows of the viewer's own images, and its own row on others."""
    own = OrderedJoin(rights.images, rights.members, rights.image.id == rights.member.image_id)
    among = rights.image.id.in_(image_ids), *conditions(rights, row_filter)
    if rights.viewer.is_operator:
        return [AccessPath(own, among)]
    named = OrderedJoin(rights.members, rights.images, rights.image.id == rights.member.image_id)
    consumed = rights.member.image_id.in_(image_ids), rights.is_consumer(), not_(rights.is_producer())
    return [
        AccessPath(own, (rights.is_producer(), *among)),
        AccessPath(named, (*consumed, *conditions(rights, row_filter))),
    ]


def _id(value: Any) -> ColumnElement[Any]:
    """An ID as SQL: a literal, or the bound parameter of a prepared statement."""
    return type_coerce(literal(value) if isinstance(value, str) else value, Text)


def conditions(rights: Rights, row_filter: MemberFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions of a filter, except `image_id`, which selects the access path."""
    image, member = rights.image, rights.member
    if row_filter.status is not None:
        yield member.status.in_(row_filter.status)
    if row_filter.owner_id is not None:
        yield image.owner_id == row_filter.owner_id
    if row_filter.tenant_id is not None:
        yield member.tenant_id == row_filter.tenant_id
