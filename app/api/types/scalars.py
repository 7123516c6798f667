"""The scalars of the schema, with their formats."""

from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, GraphQLID, GraphQLScalarType
from strawberry.types.scalar import ScalarDefinition

ByteCount = NewType("ByteCount", int)
Cursor = NewType("Cursor", str)
BYTE_COUNT_LIMIT = 2**53 - 1


def _byte_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= BYTE_COUNT_LIMIT:
        raise GraphQLError(f"A ByteCount is an integer from 0 to {BYTE_COUNT_LIMIT}.")
    return value


def _id(value: Any) -> str:
    """An ID of text, or of the digits of an integer. A float may have lost some, so it is no ID (GraphQL 3.5.5)."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise GraphQLError("An ID is a string, or an integer without fraction and exponent. Send it as a string.")


def _cursor(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 512:
        raise GraphQLError("A Cursor is a string that this gateway gave out.")
    return value


def _timestamp(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _no_timestamp_input(value: Any) -> datetime:
    raise GraphQLError(f"No input of this schema takes a DateTime, and {value!r} was given.")


class _ExactId(GraphQLScalarType):
    """The ID of this schema. It overrides `reserved_types`, because graphql-core reserves the name for its own."""

    reserved_types = {}


_ID = _ExactId(
    GraphQLID.name,
    serialize=GraphQLID.coerce_output_value,
    description=GraphQLID.description,
    coerce_input_value=_id,
    coerce_input_literal=GraphQLID.coerce_input_literal,
)

SCALARS: dict[object, Any] = {
    strawberry.ID: ScalarDefinition(
        name=_ID.name,
        description=_ID.description,
        specified_by_url=None,
        serialize=_ID.serialize,
        parse_value=_id,
        parse_literal=None,
        implementation=_ID,
    ),
    ByteCount: strawberry.scalar(
        name="ByteCount",
        description=f"A number of bytes: a JSON integer from 0 to {BYTE_COUNT_LIMIT} (2^53 - 1), which every JSON "
        "parser represents exactly.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc8259#section-6",
        serialize=_byte_count,
        parse_value=_byte_count,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="A position in the log of changes: an opaque, encrypted string of at most 512 characters. It is "
        "valid only for the caller's tenant, and one from a watch only for the same filter.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc4648#section-5",
        serialize=_cursor,
        parse_value=_cursor,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A point in time, in UTC with microseconds, such as `2026-11-23T20:09:00.000000Z`.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=_timestamp,
        parse_value=_no_timestamp_input,
    ),
}
