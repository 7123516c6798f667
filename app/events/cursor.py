"""Log cursors: a position that can't be read, forged, or moved to another viewer or another watch.

Sealed with AES-SIV under the store's own key, so every worker on the store can open what another has sealed. The
seal is deterministic: the cursor of an item has the same bytes for all who may hear of it. A cursor that stands for
no item is salted, or equal ones would tell that nobody else has done anything meanwhile (P13).
"""

import base64
import binascii
import hashlib
import json
import os
import struct
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from app.errors import CursorExpired, CursorInvalid
from app.model import Caller
from app.store.log import LogHead

_VERSION = 1
_PLAIN = struct.Struct(">B8sQ8s8s8s")
_ANY_WATCH = _NO_SALT = bytes(8)


def fingerprint(*parts: Sequence[str] | str | bool | None) -> bytes:
    """Eight bytes that stand for a viewer or for the filter of a watch. Never all zero."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return digest[:8] if any(digest[:8]) else digest[8:16]


def viewer_print(viewer: Caller) -> bytes:
    return fingerprint(viewer.tenant_id, viewer.is_operator)


class Seal:
    """Makes and opens the cursors of one log."""

    def __init__(self, head: LogHead) -> None:
        self._epoch = bytes.fromhex(head.epoch)
        self._cipher = AESSIV(head.key)

    def close(self, seq: int, viewer: Caller, watch: bytes = _ANY_WATCH, salt: bytes = _NO_SALT) -> str:
        """The cursor of an item, for one viewer; good for the given watch, or for any of that viewer's."""
        plain = _PLAIN.pack(_VERSION, self._epoch, seq, viewer_print(viewer), watch, salt)
        return _text(self._cipher.encrypt(plain, None))

    def close_between(self, seq: int, viewer: Caller, watch: bytes = _ANY_WATCH) -> str:
        """The cursor of a position at which the viewer has no item; no two are alike."""
        return self.close(seq, viewer, watch, os.urandom(len(_NO_SALT)))

    def open(self, cursor: str, viewer: Caller, watch: bytes) -> int:
        """The position in a cursor.

        Raises CursorInvalid when it was not made here or not for this watch, and CursorExpired when it was made
        for a log that has been replaced since.
        """
        version, epoch, seq, made_for, made_of, _ = _PLAIN.unpack(self._decrypt(cursor))
        if version != _VERSION:
            raise CursorInvalid("The cursor is of another version of the gateway. Start again without it.")
        if made_for != viewer_print(viewer):
            raise CursorInvalid("The cursor was given to another viewer. Start again without it.")
        if made_of not in (watch, _ANY_WATCH):
            raise CursorInvalid("The cursor belongs to another filter. Use it with the filter that it came from.")
        if epoch != self._epoch:
            raise CursorExpired("The cursor is of a log that was replaced. Read the lists again and start anew.")
        return seq

    def _decrypt(self, cursor: str) -> bytes:
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed, None)
        except (InvalidTag, binascii.Error, ValueError):
            raise CursorInvalid("The cursor was not made by this gateway, or was changed.") from None
        # Base64 has spare bits at its end: of the texts that mean the same bytes only the one given out counts.
        if len(plain) != _PLAIN.size or _text(sealed) != cursor:
            raise CursorInvalid("The cursor was not made by this gateway, or was changed.")
        return plain


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
