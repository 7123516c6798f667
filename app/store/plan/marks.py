"""Signs in the text of an answer, where something stands that Python writes with less trouble than SQL.

No text of a row holds them: JSON has control characters escaped.
"""

from binascii import b2a_base64

CURSOR, WATCH_CURSOR = "\x02", "\x01"
_CURSOR = CURSOR.encode()


def with_cursors(text: bytes) -> bytes:
    """The text with the cursors of its lists in it, as `api.paging` writes them: of a time that ends in Z, and an ID.

    A time and a UUID come out as base64 without the signs that are not for URLs, and fill it to the end.
    """
    if _CURSOR not in text:
        return text
    pieces = text.split(_CURSOR)
    pieces[1::2] = [b2a_base64(place[:26] + b"+00:00 " + place[27:], newline=False) for place in pieces[1::2]]
    return b"".join(pieces)
