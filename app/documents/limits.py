"""The limits on operations and documents, and the errors for exceeding them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from graphql import DocumentNode, GraphQLError

from app.documents.measure import Size
from app.documents.shape import longest, most_repeated_name
from app.errors import ErrorCode
from app.settings import Settings

# Tools send one. More are possible in several operations.
MOST_INTROSPECTIONS = 3
# The largest input of the schema has about twenty fields.
MOST_ARGUMENTS = 100
# A first, generous bound on lists and objects, in variables too; fields have smaller ones of their own.
MOST_VALUES = 1_000
# Longer than any value of the schema may be.
MOST_CHARACTERS = 10_000
SMALLER = "Ask for less at a time: fewer fields, smaller pages, or several requests."


@dataclass(frozen=True)
class DocumentLimits:
    """The largest operation that is executed."""

    depth: int
    aliases: int
    root_fields: int
    fields: int
    repeats: int
    cost: int
    response_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "DocumentLimits":
        return cls(
            settings.max_depth,
            settings.max_aliases,
            settings.max_root_fields,
            settings.max_fields,
            settings.max_repeats,
            settings.max_cost,
            settings.max_response_bytes,
        )

    def error_for(self, size: Size, root_fields: int) -> GraphQLError | None:
        """The error for the first limit that an operation exceeds."""
        return self._first_exceeded(
            {
                "depth": (size.depth, self.depth),
                "number of aliases": (size.aliases, self.aliases),
                "number of root fields": (root_fields, self.root_fields),
                "number of fields": (size.fields, self.fields),
                "number of `__schema` and `__type` fields": (size.introspections, MOST_INTROSPECTIONS),
                "cost": (size.cost, self.cost),
            }
        ) or self._response_error(size)

    def document_error(self, document: DocumentNode) -> GraphQLError | None:
        """The error for the first limit that a whole document exceeds, whichever of its operations is run."""
        most = longest(document)
        return self._first_exceeded(
            {
                "number of fields of one name": (most_repeated_name(document), self.repeats),
                "number of arguments of a field, or of input fields of an object,": (most.arguments, MOST_ARGUMENTS),
                "number of values of a list": (most.values, MOST_VALUES),
            }
        )

    def _response_error(self, size: Size) -> GraphQLError | None:
        if size.response_bytes <= self.response_bytes:
            return None
        return too_complex(
            f"The response to the operation may have {size.response_bytes} bytes, and the limit is "
            f"{self.response_bytes}."
        )

    def _first_exceeded(self, found: Mapping[str, tuple[int, int]]) -> GraphQLError | None:
        for what, (measured, limit) in found.items():
            if measured > limit:
                return too_complex(f"The {what} of the operation is {measured}, and the limit is {limit}.")
        return None


def variables_error(variables: Mapping[str, Any]) -> GraphQLError | None:
    """The error for a variable, or a field of one, that is far larger than any value may be."""
    fields = [cast(dict[str, Any], one) for one in variables.values() if isinstance(one, dict)]
    values = [*variables.values(), *chain.from_iterable([*one, *one.values()] for one in fields)]
    most = max((len(cast(list[Any], one)) for one in values if isinstance(one, list | dict)), default=0)
    if most > MOST_VALUES:
        return too_complex(f"A list or object in the variables has {most} values, and the limit is {MOST_VALUES}.")
    most = max((len(one) for one in values if isinstance(one, str)), default=0)
    if most > MOST_CHARACTERS:
        return too_complex(f"A text in the variables has {most} characters, and the limit is {MOST_CHARACTERS}.")
    return None


def too_complex(message: str) -> GraphQLError:
    return GraphQLError(f"{message} {SMALLER}", extensions={"code": ErrorCode.QUERY_TOO_COMPLEX})
