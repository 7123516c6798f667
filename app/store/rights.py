"""Read rights as SQL predicates. Every query that reads uses some of these, so nothing is checked afterwards."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from app.model import Caller, Image, ImageVisibility, Member, MemberStatus, Role
from app.store import named
from app.store.access_paths import AccessPath, OrderedJoin
from app.store.constant_work import AllOf, Equal

IMAGE: Table = cast(Any, Image).__table__
MEMBER: Table = cast(Any, Member).__table__
_NONE: ColumnElement[Any] = literal_column("''", Text)
_OPEN_TO_ALL = (ImageVisibility.COMMUNITY, ImageVisibility.PUBLIC)

# The viewer's tenant ID in statements that are compiled once for all viewers.
VIEWER: ColumnElement[Any] = bindparam("viewer", type_=Text, required=False)


def any_viewer(is_operator: bool) -> Caller:
    """A placeholder for the viewer in prepared statements."""
    return Caller(cast(str, VIEWER), frozenset({Role.OPERATOR} if is_operator else ()), datetime.now(UTC))


class Rights:
    """The rights of one viewer in the tables of images and members, or in aliases of them."""

    def __init__(self, viewer: Caller, image: FromClause = IMAGE, member: FromClause = MEMBER) -> None:
        self.viewer = viewer
        self.images = image
        self.image: Any = image.c
        self.members = member
        self.member: Any = member.c

    def is_party(self) -> ColumnElement[bool]:
        """The owner, its live members and operators: they may know whose image it is and where it came from."""
        if self.viewer.is_operator:
            return true()
        return or_(self._owns(), and_(self._is_shared(), self._has_row()))

    def may_watch_image(self, as_producer: bool, as_consumer: bool) -> ColumnElement[bool]:
        """Own images and live memberships; for operators on both sides, every image."""
        if self.viewer.is_operator and as_producer and as_consumer:
            return true()
        shared = and_(self._is_shared(), self._has_row(), self.image.owner_id != self.viewer.tenant_id)
        return or_(*([self._owns()] if as_producer else []), *([shared] if as_consumer else []))

    def may_watch_member(self, as_producer: bool, as_consumer: bool) -> ColumnElement[bool]:
        """A row joined to its image: of the viewer's own image, or naming it; for operators of both sides, any."""
        if self.viewer.is_operator and as_producer and as_consumer:
            return true()
        return or_(*([self._owns()] if as_producer else []), *([self.is_consumer()] if as_consumer else []))

    def sees_named_image(self, id: ColumnElement[Any]) -> tuple[ColumnElement[bool], ...]:
        """The image with this ID, which is seen by its parties, and by everyone when it is COMMUNITY or PUBLIC."""
        if self.viewer.is_operator:
            return (self.image.id == id,)
        open_to_all = (self._is_named(id, self.image.visibility == word) for word in _OPEN_TO_ALL)
        grounds = self._is_owned_by_name(id), *open_to_all, self._is_shared_by_name(id)
        return named.is_beside(self.images, id), or_(*grounds)

    def sees_named_member(self, id: ColumnElement[Any]) -> tuple[ColumnElement[bool], ...]:
        """The member row with this ID, joined to its image, if the viewer may see it."""
        if self.viewer.is_operator:
            return (self.member.id == id,)
        is_it, names_me = Equal(self.member.id, id), self.member.tenant_id == self.viewer.tenant_id
        grounds = AllOf(is_it, self._owns()), AllOf(is_it, self._is_shared(), names_me)
        return named.is_beside(self.members, id), or_(*grounds)

    def watches_named_image(
        self, id: ColumnElement[Any], as_producer: bool, as_consumer: bool
    ) -> tuple[ColumnElement[bool], ...]:
        """The image with this ID, if the viewer may watch it as one of these sides."""
        if self.viewer.is_operator and as_producer and as_consumer:
            return (self.image.id == id,)
        own = [self._is_owned_by_name(id)] if as_producer else []
        shared = [self._is_shared_by_name(id)] if as_consumer else []
        return named.is_beside(self.images, id), or_(*own, *shared)

    def own_image_named(self, id: ColumnElement[Any]) -> ColumnElement[Any]:
        """The ID, if it is that of an image of the viewer's own; else NULL."""
        return self._named(id, lambda rights: rights._is_owned_by_name(id))

    def shared_image_named(self, id: ColumnElement[Any]) -> ColumnElement[Any]:
        """The ID, if it is that of an image that is shared to the viewer at present; else NULL."""
        return self._named(id, lambda rights: rights._is_shared_by_name(id))

    def _named(self, id: ColumnElement[Any], seen: Callable[["Rights"], ColumnElement[bool]]) -> ColumnElement[Any]:
        image: Any = IMAGE.alias()
        found = select(image.c.id).where(named.is_beside(image, id), seen(Rights(self.viewer, image)))
        return found.correlate_except(image).scalar_subquery()

    def lists_image(self, statuses: Collection[MemberStatus]) -> ColumnElement[bool]:
        """The image list: own images, PUBLIC ones, and those shared to the viewer with one of the statuses."""
        if self.viewer.is_operator:
            return true()
        shared = and_(self._is_shared(), self._has_row(statuses))
        return or_(self._owns(), self._is_public(), shared)

    def list_paths(
        self, statuses: Collection[MemberStatus], owner: Any = None, external_id: Any = None
    ) -> list[AccessPath]:
        """Disjoint access paths to the images of `lists_image`; all, or those of one owner or with an external ID."""
        paths = self.party_paths(statuses, owner, external_id)
        # Only its owner may know whose a PUBLIC image is, so nobody else can filter by its owner or external ID.
        if owner is None and external_id is None and not self.viewer.is_operator:
            paths.append(AccessPath(self.images, (self._is_public(), not_(self._owns()))))
        return paths

    def party_paths(
        self, statuses: Collection[MemberStatus] | None = None, owner: Any = None, external_id: Any = None
    ) -> list[AccessPath]:
        """Disjoint access paths to the images of `is_party`: own ones, and those shared with one of the statuses."""
        whose = self.image.owner_id if owner is None else _column(owner)
        theirs = () if owner is None else (self.image.owner_id == owner,)
        named_so = () if external_id is None else (self.image.external_id == external_id,)
        if self.viewer.is_operator:
            return [AccessPath(self.images, (*theirs, *named_so))]
        row = MEMBER.alias()
        rows = OrderedJoin(row, self.images, self.image.id == row.c.image_id)
        named = [row.c.tenant_id == self.viewer.tenant_id, *([] if statuses is None else [row.c.status.in_(statuses)])]
        own = AccessPath(self.images, (whose == self.viewer.tenant_id, *theirs, *named_so))
        # Not by the index: how long a search for the external ID takes would tell whether others use it.
        compared = () if external_id is None else (func.coalesce(self.image.external_id, _NONE) == external_id,)
        shared = self._is_shared(), whose != self.viewer.tenant_id, *theirs, *compared
        return [own, AccessPath(rows, (*named, *shared))]

    def may_see_member(self) -> ColumnElement[bool]:
        """A row joined to its image: the owner sees all of them, a consumer its own one while the image is SHARED."""
        if self.viewer.is_operator:
            return true()
        return or_(self._owns(), self.is_consumer())

    def may_look_for(self, tenant: ColumnElement[Any]) -> ColumnElement[bool]:
        """The owner of an image may look up any tenant's row, everyone else only its own."""
        return true() if self.viewer.is_operator else or_(self._owns(), tenant == self.viewer.tenant_id)

    def is_consumer(self) -> ColumnElement[bool]:
        """A row joined to its image names the viewer, and is not inert."""
        return and_(self.member.tenant_id == self.viewer.tenant_id, self._is_shared())

    def is_producer(self) -> ColumnElement[bool]:
        """A row joined to its image belongs to an image of the viewer's own."""
        return self._owns()

    def _owns(self) -> ColumnElement[bool]:
        return self.image.owner_id == self.viewer.tenant_id

    def _is_public(self) -> ColumnElement[bool]:
        return self.image.visibility == ImageVisibility.PUBLIC

    def _is_shared(self) -> ColumnElement[bool]:
        return self.image.visibility == ImageVisibility.SHARED

    def _is_shared_by_name(self, id: ColumnElement[Any]) -> ColumnElement[bool]:
        """The image with this ID is shared to the viewer."""
        return self._is_named(id, self._is_shared(), named.has_member(id, self.viewer.tenant_id))

    def _is_owned_by_name(self, id: ColumnElement[Any]) -> ColumnElement[bool]:
        return self._is_named(id, self._owns())

    def _is_named(self, id: ColumnElement[Any], *others: ColumnElement[bool]) -> ColumnElement[bool]:
        return AllOf(Equal(self.image.id, id), *others)

    def _has_row(self, statuses: Collection[MemberStatus] | None = None) -> ColumnElement[bool]:
        # An alias, since the enclosing statement may use the table too.
        row = MEMBER.alias()
        found = exists().where(row.c.image_id == self.image.id, row.c.tenant_id == self.viewer.tenant_id)
        return found if statuses is None else found.where(row.c.status.in_(statuses))


def _column(value: Any) -> ColumnElement[Any]:
    return literal(value) if isinstance(value, str) else value
