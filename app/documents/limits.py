"""How large an operation may be, and the refusal of one that is larger."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError

from app.documents.measure import Size
from app.documents.shape import repeats, widest
from app.errors import ErrorCode
from app.settings import Settings

# Tools send one; whoever wants more can send several operations.
MOST_INTROSPECTIONS = 3
# The widest input of the schema has some twenty fields.
MOST_ARGUMENTS = 100
SMALLER = "Ask for less at a time: fewer fields, smaller pages, or several requests."


@dataclass(frozen=True)
class Limits:
    """The largest operation that is carried out."""

    depth: int
    aliases: int
    root_fields: int
    fields: int
    repeats: int
    cost: int
    response_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(
            settings.max_depth,
            settings.max_aliases,
            settings.max_root_fields,
            settings.max_fields,
            settings.max_repeats,
            settings.max_cost,
            settings.max_response_bytes,
        )

    def refusal(self, size: Size, root_fields: int) -> GraphQLError | None:
        """Which limit an operation goes over, and by how much."""
        return self._first_over(
            {
                "depth": (size.depth, self.depth),
                "number of aliases": (size.aliases, self.aliases),
                "number of root fields": (root_fields, self.root_fields),
                "number of fields": (size.fields, self.fields),
                "number of `__schema` and `__type` fields": (size.introspections, MOST_INTROSPECTIONS),
                "cost": (size.cost, self.cost),
            }
        ) or self._refusal_of_response(size)

    def refusal_of_document(self, document: DocumentNode) -> GraphQLError | None:
        """The same for what holds for a document as a whole, whichever of its parts is run."""
        return self._first_over(
            {
                "number of fields of one name": (repeats(document), self.repeats),
                "number of arguments of a field, or of input fields of an object,": (widest(document), MOST_ARGUMENTS),
            }
        )

    def _refusal_of_response(self, size: Size) -> GraphQLError | None:
        if size.response_bytes <= self.response_bytes:
            return None
        return too_complex(
            f"The response to the operation may have {size.response_bytes} bytes, and the limit is "
            f"{self.response_bytes}."
        )

    def _first_over(self, found: Mapping[str, tuple[int, int]]) -> GraphQLError | None:
        for what, (measured, limit) in found.items():
            if measured > limit:
                return too_complex(f"The {what} of the operation is {measured}, and the limit is {limit}.")
        return None


def too_complex(message: str) -> GraphQLError:
    return GraphQLError(f"{message} {SMALLER}", extensions={"code": ErrorCode.QUERY_TOO_COMPLEX})
