"""The scope of a part of a plan: its current rows, what the viewer may see of them, and the enclosing rows."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select

from app.model import Caller
from app.store.access_paths import AccessPath, OrderedJoin
from app.store.plan.dialects import Dialect
from app.store.plan.windows import Selector
from app.store.rights import IMAGE, MEMBER, VIEWER, Rights


class StatementContext(NamedTuple):
    """The values that are constant for a whole statement."""

    viewer: Caller
    dialect: Dialect
    selectors: tuple[Selector, ...]


@dataclass(frozen=True)
class Scope:
    """The current rows: an image, a member with its image, or the ID of a tenant.

    `is_party` is true where every viewer that reaches the image is a party of it, so the statement need not check.
    `owns_image` is whether the viewer owns the image, or is None where that depends on the row.
    """

    context: StatementContext
    image: FromClause = IMAGE
    member: FromClause = MEMBER
    tenant: ColumnElement[Any] = VIEWER
    outer: tuple[FromClause, ...] = ()
    is_party: bool = False
    owns_image: bool | None = None

    @property
    def rights(self) -> Rights:
        return Rights(self.context.viewer, self.image, self.member)

    def with_image(self) -> "Scope":
        """A scope that reads another image."""
        return replace(self, image=IMAGE.alias(), is_party=self.context.viewer.is_operator, owns_image=None)

    def with_member(self) -> "Scope":
        """A scope that reads a member of the current image."""
        return replace(self, member=MEMBER.alias())

    def with_own_image(self) -> "Scope":
        return replace(self, owns_image=True)

    def with_image_of_another(self) -> "Scope":
        return replace(self, owns_image=False)

    def as_party(self) -> "Scope":
        """A scope whose rows only parties of the image can see, as all member rows are."""
        return replace(self, is_party=True)

    def selecting_from(self, *rows: FromClause) -> "Scope":
        """The scope inside a select from these rows."""
        return replace(self, outer=(*self.outer, *rows))

    def correlate(self, statement: Select[Any]) -> Select[Any]:
        """Correlate a select with the enclosing rows only."""
        return statement.correlate(*self.outer) if self.outer else statement.correlate(None)


class Rows(NamedTuple):
    """The rows of a list: their access paths and table, and the scope and kind of each row.

    `is_sorted` means that a single path finds them in list order; otherwise a page is sorted before it is read.
    """

    paths: list[AccessPath]
    table: FromClause
    scope: Scope
    kind: str
    is_sorted: bool

    def joined_to(self, keys: FromClause) -> FromClause:
        """The rows with these sort keys; members are joined to their images."""
        found = OrderedJoin(keys, self.table, self.table.c.id == keys.c.id)
        image, member = self.scope.image, self.scope.member
        return found if self.kind == "image" else OrderedJoin(found, image, image.c.id == member.c.image_id)
