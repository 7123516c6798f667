"""Log cursors: a position that can't be read, forged, or moved to another viewer or another watch.

Sealed with AES-SIV under the store's own key, so every worker on the store can open what another has sealed. The
seal is deterministic: the cursor of an item has the same bytes for all who may hear of it. A cursor that stands for
no item is salted, or equal ones would tell that nobody else has done anything meanwhile.
"""

import base64
import binascii
import hashlib
import json
import os
import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from app.errors import CursorInvalid
from app.model import Caller
from app.store.log import LogHead

_VERSION = 1
_PLAIN = struct.Struct(">BB8sQ8s8s8s")
_ANY_WATCH = _NO_SALT = bytes(8)
_OPERATOR, _IN_SNAPSHOT = 1, 2
_NOT_OURS = "The cursor was not made by this gateway, or was changed. Start again without it."


class Gap(StrEnum):
    """Why a watch can't go on from where it was."""

    EXPIRED = "EXPIRED"
    EPOCH_CHANGED = "EPOCH_CHANGED"
    AHEAD_OF_LOG = "AHEAD_OF_LOG"
    ACCESS_CHANGED = "ACCESS_CHANGED"
    SNAPSHOT_INCOMPLETE = "SNAPSHOT_INCOMPLETE"


class Mark(NamedTuple):
    """The contents of a cursor that this gateway made for the tenant, and for this watch or any watch."""

    seq: int
    epoch: str
    is_operators: bool
    in_snapshot: bool


def fingerprint(*parts: Sequence[str] | str | bool | None) -> bytes:
    """An eight-byte hash that identifies a viewer or the filter of a watch. Never all zero."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return digest[:8] if any(digest[:8]) else digest[8:16]


class Seal:
    """Makes and opens the cursors of one log."""

    def __init__(self, head: LogHead) -> None:
        self.epoch = head.epoch
        self._epoch = bytes.fromhex(head.epoch)
        self._cipher = AESSIV(head.key)

    def close(self, seq: int, viewer: Caller, watch: bytes = _ANY_WATCH) -> str:
        """The cursor of an item, valid for this viewer and for this watch, or for any watch of the viewer."""
        return self._encrypt(0, seq, viewer, watch, _NO_SALT)

    def close_between(self, seq: int, viewer: Caller, watch: bytes = _ANY_WATCH, in_snapshot: bool = False) -> str:
        """The cursor of a position at which the viewer has no event; no two are alike.

        A watch can't resume from a cursor inside a snapshot: it begins the snapshot again.
        """
        return self._encrypt(_IN_SNAPSHOT * in_snapshot, seq, viewer, watch, os.urandom(len(_NO_SALT)))

    def _encrypt(self, flags: int, seq: int, viewer: Caller, watch: bytes, salt: bytes) -> str:
        flags |= _OPERATOR * viewer.is_operator
        plain = _PLAIN.pack(_VERSION, flags, self._epoch, seq, fingerprint(viewer.tenant_id), watch, salt)
        return _text(self._cipher.encrypt(plain, None))

    def open(self, cursor: str, viewer: Caller, watch: bytes) -> Mark:
        """Decrypt a cursor. Raises CursorInvalid unless this gateway made it for this tenant and watch."""
        version, flags, epoch, seq, made_for, made_of, _ = _PLAIN.unpack(self._decrypt(cursor))
        if version != _VERSION:
            raise CursorInvalid("The cursor is of another version of the gateway. Start again without it.")
        if made_for != fingerprint(viewer.tenant_id):
            raise CursorInvalid("The cursor was given to another viewer. Start again without it.")
        if made_of not in (watch, _ANY_WATCH):
            raise CursorInvalid("The cursor belongs to another filter. Use it with the filter that it came from.")
        return Mark(seq, epoch.hex(), bool(flags & _OPERATOR), bool(flags & _IN_SNAPSHOT))

    def _decrypt(self, cursor: str) -> bytes:
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed, None)
        except (InvalidTag, binascii.Error, ValueError):
            raise CursorInvalid(_NOT_OURS) from None
        # Base64 has spare bits at its end: of the texts that decode to the same bytes only the issued one is valid.
        if len(plain) != _PLAIN.size or _text(sealed) != cursor:
            raise CursorInvalid(_NOT_OURS)
        return plain


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
