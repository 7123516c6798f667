"""How member rows are found that a viewer may see, and which of them are wanted."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, literal, not_, type_coerce

from app.model import MemberStatus
from app.store.access_paths import Driven, Way
from app.store.rights import Rights


class MemberFilter(NamedTuple):
    """Which member rows of a list are wanted; None means any."""

    status: tuple[MemberStatus, ...] | None = None
    image_id: str | None = None
    owner_id: str | None = None
    tenant_id: str | None = None


def offered_way(rights: Rights, wanted: MemberFilter) -> Way:
    """How the rows that are offered to the viewer are found: they name it; of a named image there is one at most."""
    rows = Driven(rights.members, rights.images, rights.image.id == rights.member.image_id)
    if wanted.image_id is None:
        return Way(rows, (rights.is_consumer(), *filters(rights, wanted)))
    is_named = rights.member.image_id == rights.shared_image_named(_id(wanted.image_id))
    return Way(rows, (is_named, rights.is_consumer(), *filters(rights, wanted)))


def sent_way(rights: Rights, wanted: MemberFilter) -> Way:
    """How the rows that the viewer has offered are found: they are of its images."""
    rows = Driven(rights.images, rights.members, rights.image.id == rights.member.image_id)
    if wanted.image_id is None:
        return Way(rows, (rights.is_producer(), *filters(rights, wanted)))
    is_named = rights.image.id == rights.own_image_named(_id(wanted.image_id))
    return Way(rows, (is_named, rights.is_producer(), *filters(rights, wanted)))


def seen_where(rights: Rights, wanted: MemberFilter, owns_image: bool) -> Iterator[ColumnElement[bool]]:
    """What makes a row of an image at hand, the viewer's own or another's, one that the viewer may see.

    A consumer's row is found by its tenant, so that it takes no more work the more other consumers there are.
    """
    if not owns_image and not rights.viewer.is_operator:
        yield rights.is_consumer()
    yield from filters(rights, wanted)


def ways_of_images(rights: Rights, image_ids: Collection[str], wanted: MemberFilter) -> list[Way]:
    """How the rows of some images that the viewer may see are found: all of its own images, and its own of others."""
    own = Driven(rights.images, rights.members, rights.image.id == rights.member.image_id)
    among = rights.image.id.in_(image_ids), *filters(rights, wanted)
    if rights.viewer.is_operator:
        return [Way(own, among)]
    named = Driven(rights.members, rights.images, rights.image.id == rights.member.image_id)
    consumed = rights.member.image_id.in_(image_ids), rights.is_consumer(), not_(rights.is_producer())
    return [Way(own, (rights.is_producer(), *among)), Way(named, (*consumed, *filters(rights, wanted)))]


def _id(given: Any) -> ColumnElement[Any]:
    """The ID that was given, or the name that stands for it in a statement that is made once."""
    return type_coerce(literal(given) if isinstance(given, str) else given, Text)


def filters(rights: Rights, wanted: MemberFilter) -> Iterator[ColumnElement[bool]]:
    """All filters but the image, which is looked for by itself."""
    image, member = rights.image, rights.member
    if wanted.status is not None:
        yield member.status.in_(wanted.status)
    if wanted.owner_id is not None:
        yield image.owner_id == wanted.owner_id
    if wanted.tenant_id is not None:
        yield member.tenant_id == wanted.tenant_id
