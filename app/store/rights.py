"""Who may see what, as SQL predicates: every query that reads takes one of these, so nothing is checked afterwards."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, exists, or_, true
from sqlmodel import col

from app.model import Caller, Image, ImageVisibility, Member, MemberStatus

_OPEN_TO_ALL = (ImageVisibility.COMMUNITY, ImageVisibility.PUBLIC)


def _owns(viewer: Caller) -> ColumnElement[bool]:
    return col(Image.owner_id) == viewer.tenant_id


def _is_shared() -> ColumnElement[bool]:
    return col(Image.visibility) == ImageVisibility.SHARED


def _has_row(viewer: Caller, statuses: Collection[MemberStatus] | None = None) -> ColumnElement[bool]:
    row = exists().where(col(Member.image_id) == col(Image.id), col(Member.tenant_id) == viewer.tenant_id)
    return row if statuses is None else row.where(col(Member.status).in_(statuses))


def is_party(viewer: Caller) -> ColumnElement[bool]:
    """The owner, its live members and operators: they may know whose image it is and where it came from."""
    if viewer.is_operator:
        return true()
    return or_(_owns(viewer), and_(_is_shared(), _has_row(viewer)))


def may_watch_image(viewer: Caller, as_producer: bool, as_consumer: bool) -> ColumnElement[bool]:
    """Own images and live memberships; for operators, who ask for both sides, every image."""
    if viewer.is_operator and as_producer and as_consumer:
        return true()
    shared = and_(_is_shared(), _has_row(viewer), col(Image.owner_id) != viewer.tenant_id)
    return or_(*([_owns(viewer)] if as_producer else []), *([shared] if as_consumer else []))


def may_watch_member(viewer: Caller, as_producer: bool, as_consumer: bool) -> ColumnElement[bool]:
    """A row joined to its image: of the viewer's own image, or naming the viewer; for operators of both sides, any."""
    if viewer.is_operator and as_producer and as_consumer:
        return true()
    return or_(*([_owns(viewer)] if as_producer else []), *([is_consumer(viewer)] if as_consumer else []))


def may_see_image(viewer: Caller) -> ColumnElement[bool]:
    """By its ID, an image is seen by its parties, and by everyone when it is COMMUNITY or PUBLIC."""
    return or_(is_party(viewer), col(Image.visibility).in_(_OPEN_TO_ALL))


def lists_image(viewer: Caller, statuses: Collection[MemberStatus]) -> ColumnElement[bool]:
    """The image list: own images, PUBLIC ones, and those shared to the viewer with one of the statuses."""
    if viewer.is_operator:
        return true()
    shared_to_viewer = and_(_is_shared(), _has_row(viewer, statuses))
    return or_(_owns(viewer), col(Image.visibility) == ImageVisibility.PUBLIC, shared_to_viewer)


def may_see_member(viewer: Caller) -> ColumnElement[bool]:
    """A row joined to its image: the owner sees all of them, a consumer its own one while the image is SHARED."""
    if viewer.is_operator:
        return true()
    return or_(_owns(viewer), is_consumer(viewer))


def is_consumer(viewer: Caller) -> ColumnElement[bool]:
    """A row joined to its image names the viewer, and is not inert."""
    return and_(col(Member.tenant_id) == viewer.tenant_id, _is_shared())


def is_producer(viewer: Caller) -> ColumnElement[bool]:
    """A row joined to its image belongs to an image of the viewer's own."""
    return _owns(viewer)
