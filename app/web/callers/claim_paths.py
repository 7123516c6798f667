"""Finds claims by their paths, and reads their values: words, a list, or the keys of an object."""

import re
from collections.abc import Mapping
from typing import Any, cast

ONLY_MEMBER = "*"
_DOT = re.compile(r"(?<!\\)\.")


class ClaimPath:
    """The name of a claim, or a path such as `realm_access.roles` to a claim inside another.

    A claim that has the whole name takes precedence, and names such as `https://example.org/tenant` and `urn:...` are
    never split. `\\.` is a dot in a name, and `*` the only member of an object.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        is_whole = "://" in name or name.startswith("urn:")
        self._parts = [name] if is_whole else [part.replace("\\.", ".") for part in _DOT.split(name)]

    def find(self, claims: Mapping[str, Any]) -> Any:
        """The value of the claim, or None."""
        if self.name in claims:
            return claims[self.name]
        value: Any = claims
        for part in self._parts:
            value = _member(value, part)
        return value


def single(value: Any) -> str | None:
    """A string, the only one of a list, or the only key of an object; None for anything else."""
    if isinstance(value, list | dict):
        members = list(cast(list[Any], value))
        value = members[0] if len(members) == 1 else None
    return value if isinstance(value, str) else None


def words(value: Any, tenant_id: str) -> list[str]:
    """The words of a string or list, or the keys of an object whose values count for this tenant."""
    if isinstance(value, str):
        # A role may be a name with spaces, or one of several in a `scope`.
        return [word for word in dict.fromkeys([value, *value.split(" ")]) if word]
    if isinstance(value, dict):
        members = cast(dict[str, Any], value)
        return [word for word, scope in members.items() if _counts_for(tenant_id, scope)]
    return [word for word in cast(list[Any], value) if isinstance(word, str)] if isinstance(value, list) else []


def _counts_for(tenant_id: str, scope: Any) -> bool:
    """Whether a role counts. Zitadel names the organizations that have granted it, by their IDs.

    Their domains don't count: one may look like the ID of another organization.
    """
    return tenant_id in scope if isinstance(scope, dict) else scope not in (None, False, [])


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return None
    members = cast(dict[str, Any], value)
    if name == ONLY_MEMBER:
        return next(iter(members.values())) if len(members) == 1 else None
    return members.get(name)
