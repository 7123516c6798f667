"""The scalars of the schema, with their formats."""

from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError

ByteCount = NewType("ByteCount", int)
Cursor = NewType("Cursor", str)
BYTE_COUNT_LIMIT = 2**53 - 1


def _byte_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= BYTE_COUNT_LIMIT:
        raise GraphQLError(f"A ByteCount is an integer from 0 to {BYTE_COUNT_LIMIT}.")
    return value


def _cursor(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 512:
        raise GraphQLError("A Cursor is a string that this gateway gave out.")
    return value


def _timestamp(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _no_timestamp_input(value: Any) -> datetime:
    raise GraphQLError(f"No input of this schema takes a DateTime, and {value!r} was given.")


SCALARS: dict[object, Any] = {
    ByteCount: strawberry.scalar(
        name="ByteCount",
        description=f"A number of bytes: a JSON integer from 0 to {BYTE_COUNT_LIMIT} (2^53 - 1), "
        "which every JSON client reads exactly.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc8259#section-6",
        serialize=_byte_count,
        parse_value=_byte_count,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="A position in the log of changes: opaque, sealed, and bound to the viewer who got it. "
        "Store it as it is; it is at most 512 characters long.",
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
