"""From what Keystone says of a token to the Caller. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from app.errors import NoRole, Unauthenticated, Unavailable
from app.model import Caller, Role

RoleMap = Mapping[str, frozenset[Role]]
UNSCOPED = "The token is not for a project. Scope it to one."
NO_ROLE = "None of the token's roles may use this gateway."
LONGEST_SUBJECT = 255


def role_map(words: str) -> dict[str, frozenset[Role]]:
    """Keystone's roles and what they are here, from words such as `member=creator,admin`. Raises ValueError."""
    found: dict[str, frozenset[Role]] = {}
    for word in words.split():
        name, _, listed = word.partition("=")
        unknown = sorted(set(listed.split(",")) - set(Role))
        if not name or unknown:
            raise ValueError(f"{word!r} is not a role of Keystone, =, and roles among {', '.join(Role)}")
        found[name] = frozenset(map(Role, listed.split(",")))
    return found


def caller_of(described: Mapping[str, Any], token: str, roles: RoleMap, tenant_id_pattern: str) -> Caller:
    """The caller that the token stands for. Raises Unauthenticated, or NoRole."""
    project_id = _member(described, "project", "id")
    if not isinstance(project_id, str):
        raise Unauthenticated(UNSCOPED)
    if not re.fullmatch(tenant_id_pattern, project_id):
        raise Unauthenticated(f"The token's project ID has not the form {tenant_id_pattern}.")
    known = _known(described.get("roles"), roles)
    if not known:
        raise NoRole(NO_ROLE)
    user_id = _member(described, "user", "id")
    subject = user_id[:LONGEST_SUBJECT] if isinstance(user_id, str) else None
    return Caller(project_id, known, expiry(described), subject, token)


def expiry(described: Mapping[str, Any]) -> datetime:
    """When the token ends; Keystone's times are in UTC."""
    try:
        at = datetime.fromisoformat(str(described.get("expires_at")))
    except ValueError:
        raise Unavailable("Keystone does not say when the token ends.") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _known(listed: Any, roles: RoleMap) -> frozenset[Role]:
    named: Iterable[Any] = cast(list[Any], listed) if isinstance(listed, list) else ()
    names: list[Any] = [cast(dict[str, Any], role).get("name") for role in named if isinstance(role, dict)]
    return frozenset[Role]().union(*(roles[name] for name in names if name in roles))


def _member(described: Mapping[str, Any], *path: str) -> Any:
    value: Any = described
    for name in path:
        value = cast(dict[str, Any], value).get(name) if isinstance(value, dict) else None
    return value
