"""Signs in the text of an answer, where something stands that Python writes with less trouble than SQL.

No text of a row holds them: JSON has control characters escaped.
"""

from binascii import b2a_base64
from collections.abc import Callable
from functools import lru_cache
from struct import Struct

CURSOR, WATCH_CURSOR = "\x02", "\x01"
_CURSOR = CURSOR.encode()
_LENGTH = 92


def with_cursors(text: bytes) -> bytes:
    """The text with the cursors of its lists in it, as `api.paging` writes them: of a time that ends in Z, and an ID.

    A time and a UUID fill their base64 to the end, and have none of the signs in it that are not for URLs. So all of
    them are coded at once, and cut apart afterwards.
    """
    pieces = text.split(_CURSOR)
    if (count := len(pieces) // 2) == 0:
        return text
    coded = b2a_base64(b"".join(pieces[1::2]).replace(b"Z", b"+00:00 "), newline=False)
    pieces[1::2] = _cut(count)(coded)
    return b"".join(pieces)


@lru_cache(maxsize=256)
def _cut(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """What cuts so many cursors apart, in half the time of slices."""
    return Struct(f"{_LENGTH}s" * count).unpack
