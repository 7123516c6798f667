"""Where a part of a plan stands: the rows at hand, what the viewer may see of them, and the rows outside."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select

from app.model import Caller
from app.store.access_paths import AccessPath, OrderedJoin
from app.store.plan.dialects import Dialect
from app.store.plan.windows import Place
from app.store.rights import IMAGE, MEMBER, VIEWER, Rights


class Surroundings(NamedTuple):
    """What holds for a whole statement."""

    viewer: Caller
    dialect: Dialect
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Scope:
    """The rows at hand: an image, a member with its image, or the ID of a tenant.

    `is_party` says that the image would not be at hand if the viewer were no party of it, so nobody needs to ask.
    `owns_image` says whether the image is the viewer's own, where that is decided; None where it hangs on the row.
    """

    of: Surroundings
    image: FromClause = IMAGE
    member: FromClause = MEMBER
    tenant: ColumnElement[Any] = VIEWER
    seen: tuple[FromClause, ...] = ()
    is_party: bool = False
    owns_image: bool | None = None

    @property
    def rights(self) -> Rights:
        return Rights(self.of.viewer, self.image, self.member)

    def with_image(self) -> "Scope":
        """An image is looked for from here."""
        return replace(self, image=IMAGE.alias(), is_party=self.of.viewer.is_operator, owns_image=None)

    def with_member(self) -> "Scope":
        """A member is looked for from here, of the image at hand."""
        return replace(self, member=MEMBER.alias())

    def with_own_image(self) -> "Scope":
        return replace(self, owns_image=True)

    def with_image_of_another(self) -> "Scope":
        return replace(self, owns_image=False)

    def of_a_party(self) -> "Scope":
        """The rows at hand are seen by parties of the image alone, as all member rows are."""
        return replace(self, is_party=True)

    def among(self, *rows: FromClause) -> "Scope":
        """What stands inside a select from these rows."""
        return replace(self, seen=(*self.seen, *rows))

    def inside(self, statement: Select[Any]) -> Select[Any]:
        """A select that reads its own rows, and takes those at hand from outside."""
        return statement.correlate(*self.seen) if self.seen else statement.correlate(None)


class Rows(NamedTuple):
    """The rows of a list: how they are found, the table that they are of, and the scope and kind of each.

    `is_sorted` means that a single path finds them in list order; otherwise a page is sorted before it is read.
    """

    paths: list[AccessPath]
    table: FromClause
    scope: Scope
    kind: str
    is_sorted: bool

    def at(self, places: FromClause) -> FromClause:
        """The rows at these places, members with their images."""
        found = OrderedJoin(places, self.table, self.table.c.id == places.c.id)
        image, member = self.scope.image, self.scope.member
        return found if self.kind == "image" else OrderedJoin(found, image, image.c.id == member.c.image_id)
