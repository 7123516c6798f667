"""How many bytes a field may take in an answer, known before anything is read, and what its size costs."""

from typing import Any, cast

from graphql import get_named_type, is_enum_type

from app.sharing.formats import NAME_LIMIT, TAG_LIMIT, TAGS_BYTES, URL_LIMIT

# A field costs one, and one more for each further piece of so many bytes that its name or its value may have.
PIECE_BYTES = 1_024
# Quotes and a comma, or a colon, around each text; brackets and a comma around each object.
_SIGNS = 4
# UTF-8 takes at most four bytes for a character, and JSON escapes none that needs more than one.
_LINE = 4 * NAME_LIMIT + _SIGNS
_CURSOR = 160
_WORD = 64
_OF_FIELD = {
    "Image.tags": 2 * TAGS_BYTES + TAG_LIMIT * _SIGNS,
    "Image.sourceUrl": 4 * URL_LIMIT + _SIGNS,
    "Image.serverId": _LINE,
    "PageInfo.startCursor": _CURSOR,
    "PageInfo.endCursor": _CURSOR,
    "ImageEdge.cursor": _CURSOR,
    "MemberEdge.cursor": _CURSOR,
}
_OF_TYPE = {"String": _LINE, "Cursor": _CURSOR}


def of_name(name: str) -> int:
    """The bytes of a response name with the signs around it."""
    return len(name) + _SIGNS


def of_value(parent: Any, name: str, definition: Any) -> int:
    """The most bytes that the value of a scalar or an enum may have."""
    if definition is None:
        return _WORD
    of_field = _OF_FIELD.get(f"{parent.name}.{name}")
    named = cast(Any, get_named_type(definition.type))
    return of_field or (_WORD if is_enum_type(named) else _OF_TYPE.get(named.name, _WORD))


def of_objects(times: int, each: int) -> int:
    """The bytes of an object or of so many of them."""
    return times * (each + _SIGNS) + _SIGNS


def cost_of(name: int, value: int) -> int:
    """What a field of this size costs by itself."""
    return 1 + (name - 1) // PIECE_BYTES + max(0, value - 1) // PIECE_BYTES
