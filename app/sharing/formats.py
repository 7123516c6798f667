"""The syntax of input values. Pure functions, whose verdict is the same for every caller."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from app.errors import BadUserInput
from app.sharing.names import readable
from app.sharing.problems import Mistakes

NAME_LIMIT = 255
TENANT_ID_LIMIT = 255
TAG_LIMIT = 50
TAGS_BYTES = 4_096
URL_LIMIT = 2048
OFFER_LIMIT = 100
BYTE_COUNT_LIMIT = 2**53 - 1
INT_LIMIT = 2**31 - 1
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Characters that JSON escapes. Tenant IDs have none, so that responses can contain them unchanged.
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f\ud800-\udfff]')


def uuid(text: str) -> str | None:
    """An image or member ID in the store's spelling, which is lowercase; input may be uppercase (RFC 9562, 4).

    None for anything that is not a UUID.
    """
    return text.lower() if _UUID.fullmatch(text) else None


def as_stored(id_: str) -> str:
    """An image or member ID in the store's spelling; anything that is not a UUID is returned unchanged."""
    return uuid(id_) or id_


def id_or_none(text: str | None) -> str | None:
    """An ID to filter by; a malformed one becomes an ID that no row has."""
    return None if text is None else uuid(text) or ""


def tenant_id(text: str, pattern: str, *path: str) -> str:
    """A tenant ID: compared as it is, nothing trimmed."""
    if not 1 <= len(text) <= TENANT_ID_LIMIT or not re.fullmatch(pattern, text) or _ESCAPED.search(text):
        raise BadUserInput(f"A tenant ID has the form {pattern}, without quotes; nothing is trimmed.", path)
    return text


def text(value: str, *path: str, limit: int = NAME_LIMIT) -> str:
    """One line of text, not empty, without control characters."""
    if not 1 <= len(value) <= limit:
        raise BadUserInput(f"Give 1 to {limit} characters; this has {len(value)}.", path)
    if _CONTROL.search(value):
        raise BadUserInput("Control characters and lone surrogates are not allowed.", path)
    return value


def label(value: str, *path: str, limit: int = NAME_LIMIT) -> str:
    """One line of text that people read."""
    return readable(text(value, *path, limit=limit), *path)


def tags(values: Sequence[str], *path: str) -> list[str]:
    """Up to 50 tags, each a line of text, none twice. Raises Malformed with a mistake for each bad one."""
    if len(values) > TAG_LIMIT:
        raise BadUserInput(f"Give at most {TAG_LIMIT} tags; these are {len(values)}.", path)
    mistakes, earlier = Mistakes(), set[str]()
    for index, tag in enumerate(values):
        mistakes.check(_tag, tag, earlier, *path, str(index))
        earlier.add(tag)
    mistakes.check(_together, values, *path)
    mistakes.require_none()
    return list(values)


def _together(values: Sequence[str], *path: str) -> None:
    if (size := sum(len(tag.encode(errors="replace")) for tag in values)) > TAGS_BYTES:
        raise BadUserInput(f"All tags together may have {TAGS_BYTES} bytes of UTF-8; these have {size}.", path)


def _tag(tag: str, earlier: Container[str], *path: str) -> str:
    if tag in earlier:
        raise BadUserInput("This tag is given twice.", path)
    return label(tag, *path)


def source_url(value: str, *path: str) -> str:
    """An absolute http or https address. One that carries a password is refused, since consumers will read it."""
    label(value, *path, limit=URL_LIMIT)
    try:
        parts = urlsplit(value)
        has_host = bool(parts.hostname) and (parts.port or True)
    except ValueError:
        raise BadUserInput("The address can't be read.", path) from None
    if parts.scheme not in ("http", "https") or not has_host or " " in value:
        raise BadUserInput("Give an absolute http or https address.", path)
    if parts.username is not None or parts.password is not None:
        raise BadUserInput("The address must not hold a user name or password; consumers can read it.", path)
    return value


def amount(value: int, *path: str, limit: int = INT_LIMIT) -> int:
    if not 0 <= value <= limit:
        raise BadUserInput(f"Give a number from 0 to {limit}.", path)
    return value


def key(value: str | None) -> str | None:
    """An idempotency key."""
    return None if value is None else text(value, "input", "idempotencyKey")


def echo(value: str | None) -> str | None:
    """Check text that the payload repeats, which is bounded so that it can't inflate the response."""
    if value is not None and len(value) > NAME_LIMIT:
        message = f"Give at most {NAME_LIMIT} characters; this has {len(value)}."
        raise BadUserInput(message, ("input", "clientMutationId"))
    return value


def _unchanged(value: Any, *_path: str) -> Any:
    return value


_COLUMNS: dict[str, tuple[str, bool, Callable[..., Any]]] = {
    # column: name in the schema, whether null clears it, check
    "name": ("name", False, label),
    "external_id": ("externalId", True, label),
    "server_id": ("serverId", True, label),
    "source_url": ("sourceUrl", True, source_url),
    "checksum": ("checksum", True, label),
    "disk_format": ("diskFormat", True, label),
    "container_format": ("containerFormat", True, label),
    "size_bytes": ("sizeBytes", True, partial(amount, limit=BYTE_COUNT_LIMIT)),
    "min_disk_gb": ("minDiskGb", False, amount),
    "min_ram_mb": ("minRamMb", False, amount),
    "tags": ("tags", False, tags),
    "os_type": ("osType", True, _unchanged),
}


def image_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the form of each image column in an input. Raises Malformed."""
    mistakes = Mistakes()
    columns = {column: mistakes.check(_image_column, column, value) for column, value in values.items()}
    mistakes.require_none()
    return columns


def _image_column(column: str, value: Any) -> Any:
    name, nullable, check = _COLUMNS.get(column, (column, False, _unchanged))
    if value is not None:
        return check(value, "input", name)
    if not nullable:
        raise BadUserInput(f"{name} can't be cleared; leave it out to keep it.", ("input", name))
    return None
