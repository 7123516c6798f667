"""Signs in the text of an answer, where something stands that Python writes with less trouble than SQL.

No text of a row holds them: JSON has control characters escaped.
"""

from binascii import b2a_base64

CURSOR, WATCH_CURSOR = "\x02", "\x01"
_CURSOR = CURSOR.encode()
_SAFE = bytes.maketrans(b"+/", b"-_")


def with_cursors(text: bytes) -> bytes:
    """The text with the cursors of its lists in it."""
    pieces = text.split(_CURSOR)
    pieces[1::2] = [_cursor(place) for place in pieces[1::2]]
    return b"".join(pieces)


def _cursor(place: bytes) -> bytes:
    """As `api.paging` writes it, of a time that ends in Z and an ID."""
    time, _, id_ = place.partition(b"Z")
    return b2a_base64(b"%s+00:00 %s" % (time, id_), newline=False).translate(_SAFE).rstrip(b"=")
