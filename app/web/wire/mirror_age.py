"""The age of a cloud's mirror, for responses from one that is out of date."""

from collections.abc import Callable
from math import isinf
from typing import Any


class MirrorAge:
    """Adds `extensions.mirror` to responses while the mirror is older than `stale_seconds`.

    It is the seconds since the last successful poll of Glance; null if there was none.
    """

    def __init__(self, age: Callable[[], float], stale_seconds: float) -> None:
        self._age = age
        self._stale_seconds = stale_seconds

    @property
    def stale(self) -> float | None:
        """The age in seconds, or None if the mirror is up to date."""
        age = self._age()
        return None if age < self._stale_seconds else age

    def add_to_json(self, body: bytes, has_extensions: bool) -> bytes:
        """Add it to the JSON of a response, whose last field is `extensions` if it has any."""
        if (age := self.stale) is None:
            return body
        mirror = b'"mirror":null' if isinf(age) else b'"mirror":%d' % age
        if has_extensions:
            return body[:-2] + b"," + mirror + b"}}"
        return body[:-1] + b',"extensions":{' + mirror + b"}}"

    def add_to(self, response: dict[str, Any]) -> dict[str, Any]:
        if (age := self.stale) is not None:
            added = {"mirror": None if isinf(age) else int(age)}
            response["extensions"] = (response.get("extensions") or {}) | added
        return response
