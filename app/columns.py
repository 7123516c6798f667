"""Column types of the store that behave alike on both engines."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlmodel import BigInteger, Enum, Integer, String, TypeDecorator, UTCDateTime


class Timestamp(TypeDecorator[datetime]):
    """A UTC time. On SQLite it is stored as the text that clients receive, which sorts chronologically."""

    impl = UTCDateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else UTCDateTime())

    def process_bind_param(self, value: datetime | None, dialect: Any) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        # Five times as fast as strftime.
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


def word_of(words: type[StrEnum]) -> Any:
    """A column type for the words of an enum, with a check constraint on either engine."""
    return Enum(words, native_enum=False, create_constraint=True, name=f"{words.__name__.lower()}_word")


def row_number() -> Any:
    # SQLite increments only columns of exactly this type automatically.
    return BigInteger().with_variant(Integer, "sqlite")
