"""From Glance's JSON to what it says of an image and its members. Pure; anything unexpected is Unanswered."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from app.model import ImageOrigin, ImageStatus, ImageVisibility, MemberStatus, OsType, SeenImage
from app.upstream.errors import Unanswered

_STATUSES = {
    "queued": ImageStatus.QUEUED,
    "uploading": ImageStatus.UPLOADING,
    "importing": ImageStatus.IMPORTING,
    "active": ImageStatus.ACTIVE,
    "deactivated": ImageStatus.DEACTIVATED,
    "killed": ImageStatus.KILLED,
}
_OS_TYPES = {"linux": OsType.LINUX, "windows": OsType.WINDOWS}
NAME_LIMIT = 255
# What can't stand for a tenant here: Glance takes any text for a member, also one that would need escapes in JSON.
_NO_TENANT = re.compile(r'["\\\x00-\x1f\x7f-\x9f]|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')
BYTES_LIMIT = 2**53 - 1


class MemberView(NamedTuple):
    tenant_id: str
    status: MemberStatus
    created_at: datetime
    updated_at: datetime


class View(NamedTuple):
    """An image with all its members; `members` is None while they can't be read, as those of a private image."""

    image: SeenImage
    members: Mapping[str, MemberView] | None
    # Tenants of which Glance holds several rows, as two of its workers make them of two equal offers.
    duplicates: frozenset[str] = frozenset()


def image_view(body: Any) -> SeenImage:
    """Raises Unanswered."""
    try:
        return _image(_object(body))
    except (KeyError, ValueError, TypeError) as error:
        raise Unanswered(f"Glance described an image in an unknown way: {error!r}") from None


def member_views(body: Any) -> tuple[dict[str, MemberView], frozenset[str]]:
    """The newest row of each tenant, and the tenants with several. Raises Unanswered.

    Left out are members that can be no tenant's.
    """
    try:
        rows = [_member(_object(row)) for row in _object(body)["members"]]
        rows = [row for row in rows if row.tenant_id and not _NO_TENANT.search(row.tenant_id)]
    except (KeyError, ValueError, TypeError) as error:
        raise Unanswered(f"Glance described a member in an unknown way: {error!r}") from None
    newest = {row.tenant_id: row for row in sorted(rows, key=lambda row: row.updated_at)}
    several = frozenset(row.tenant_id for row in rows if newest[row.tenant_id] is not row)
    return newest, several


def _image(body: dict[str, Any]) -> SeenImage:
    is_snapshot = body.get("image_type") == "snapshot" and bool(body.get("instance_uuid"))
    return SeenImage.new(
        id=str(body["id"]),
        owner_id=_owner(body.get("owner")),
        name=_text(body.get("name") or ""),
        origin=ImageOrigin.SNAPSHOT if is_snapshot else ImageOrigin.IMPORT,
        server_id=str(body["instance_uuid"])[:NAME_LIMIT] if is_snapshot else None,
        source_url=None,
        status=_STATUSES.get(body["status"], ImageStatus.SAVING),
        visibility=ImageVisibility(str(body["visibility"]).upper()),
        size_bytes=_size(body.get("size")),
        min_disk_gb=int(body.get("min_disk") or 0),
        min_ram_mb=int(body.get("min_ram") or 0),
        os_type=_os_type(body.get("os_type")),
        checksum=_short(body.get("os_hash_value") or body.get("checksum")),
        disk_format=_short(body.get("disk_format")),
        container_format=_short(body.get("container_format")),
        tags=_tags(body.get("tags") or ()),
        protected=bool(body.get("protected")),
        hidden=bool(body.get("os_hidden")),
        created_at=_time(body["created_at"]),
        updated_at=_time(body["updated_at"]),
    )


def _member(body: dict[str, Any]) -> MemberView:
    status = MemberStatus(str(body["status"]).upper())
    return MemberView(str(body["member_id"]), status, _time(body["created_at"]), _time(body["updated_at"]))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("it is not an object")
    return cast(dict[str, Any], value)


def _time(value: Any) -> datetime:
    at = datetime.fromisoformat(str(value))
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= BYTES_LIMIT else None


def _os_type(value: Any) -> OsType | None:
    return None if not isinstance(value, str) or not value else _OS_TYPES.get(value.lower(), OsType.OTHER)


def _short(value: Any) -> str | None:
    return _text(value) if isinstance(value, str) and value else None


def _tags(values: Iterable[Any]) -> list[str]:
    return sorted(map(_text, values))


def _owner(value: Any) -> str:
    """Images of Glance's own may have no owner."""
    return value if isinstance(value, str) and not _NO_TENANT.search(value) else ""


def _text(value: Any) -> str:
    return str(value).replace("\0", "")[:NAME_LIMIT]
