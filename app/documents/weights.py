"""Upper bounds on the size of fields in a response, known before anything is read, and what they cost."""

from typing import Any, cast

from graphql import get_named_type, is_enum_type

from app.sharing.formats import NAME_LIMIT, TAG_LIMIT, TAGS_BYTES, URL_LIMIT

# A field costs 1, plus 1 for each further kilobyte that its name or its value may have.
PIECE_BYTES = 1_024
# Quotes and a comma or a colon around each string, brackets and a comma around each object.
_PUNCTUATION = 4
# UTF-8 takes at most four bytes for a character, and JSON escapes none that needs more than one.
_TEXT = 4 * NAME_LIMIT + _PUNCTUATION
_CURSOR = 160
_WORD = 64
_FIELD_BYTES = {
    "Image.tags": 2 * TAGS_BYTES + TAG_LIMIT * _PUNCTUATION,
    "Image.sourceUrl": 4 * URL_LIMIT + _PUNCTUATION,
    "Image.serverId": _TEXT,
    "Image.externalId": _TEXT,
    "PageInfo.startCursor": _CURSOR,
    "PageInfo.endCursor": _CURSOR,
    "ImageEdge.cursor": _CURSOR,
    "MemberEdge.cursor": _CURSOR,
}
_TYPE_BYTES = {"String": _TEXT, "Cursor": _CURSOR}


def name_bytes(name: str) -> int:
    """The bytes of a response name with its punctuation."""
    return len(name) + _PUNCTUATION


def value_bytes(parent: Any, name: str, definition: Any) -> int:
    """The maximum bytes of the value of a scalar or an enum."""
    if definition is None:
        return _WORD
    of_field = _FIELD_BYTES.get(f"{parent.name}.{name}")
    named = cast(Any, get_named_type(definition.type))
    return of_field or (_WORD if is_enum_type(named) else _TYPE_BYTES.get(named.name, _WORD))


def object_bytes(times: int, each: int) -> int:
    """The bytes of a number of objects with their punctuation."""
    return times * (each + _PUNCTUATION) + _PUNCTUATION


def field_cost(name: int, value: int) -> int:
    """The cost of a field by its size alone."""
    return 1 + (name - 1) // PIECE_BYTES + max(0, value - 1) // PIECE_BYTES
