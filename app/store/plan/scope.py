"""Where a part of a plan stands: the rows at hand, what the viewer may see of them, and the rows outside."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select

from app.model import Caller
from app.store.pages import SortKey
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
    """The rows at hand: an image, a member with its image, or the ID of a tenant."""

    of: Surroundings
    image: FromClause = IMAGE
    member: FromClause = MEMBER
    tenant: ColumnElement[Any] = VIEWER
    seen: tuple[FromClause, ...] = ()

    @property
    def rights(self) -> Rights:
        return Rights(self.of.viewer, self.image, self.member)

    def with_image(self) -> "Scope":
        """An image is looked for from here."""
        return replace(self, image=IMAGE.alias())

    def with_member(self) -> "Scope":
        """A member is looked for from here, of the image at hand."""
        return replace(self, member=MEMBER.alias())

    def among(self, *rows: FromClause) -> "Scope":
        """What stands inside a select from these rows."""
        return replace(self, seen=(*self.seen, *rows))

    def inside(self, statement: Select[Any]) -> Select[Any]:
        """A select that reads its own rows, and takes those at hand from outside."""
        return statement.correlate(*self.seen) if self.seen else statement.correlate(None)


class Rows(NamedTuple):
    """The rows of a list: where they come from, which of them, sorted by what, and the scope and kind of each."""

    source: FromClause
    where: list[ColumnElement[bool]]
    key: SortKey
    scope: Scope
    kind: str
