"""From what Keystone says of a token to a caller: its project, its roles here, and when it ends."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.errors import Unauthenticated
from app.model import Caller, Role
from app.settings import Settings
from app.upstream.identity import caller_of, role_map

PROJECT = "0123456789abcdef" * 2
DEFAULT = role_map(Settings(upstream="glance").upstream_roles)


def described(*roles: str, **changes: Any) -> dict[str, Any]:
    token = {
        "project": {"id": PROJECT, "name": "demo"},
        "user": {"id": "u", "name": "alice"},
        "roles": [{"id": role, "name": role} for role in roles],
        "expires_at": "2026-11-28T03:00:00.000000Z",
    }
    return {name: value for name, value in {**token, **changes}.items() if value is not None}


def caller(*roles: str, **changes: Any) -> Caller:
    return caller_of(described(*roles, **changes), "token", DEFAULT, "[0-9a-f]{32}")


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["reader"], {Role.OBSERVER}),
        (["member", "reader"], {Role.OBSERVER, Role.CREATOR, Role.ADMIN}),
        (["manager"], {Role.OBSERVER, Role.CREATOR, Role.ADMIN}),
        (["admin", "service"], set(Role)),
    ],
)
def test_the_roles_of_a_project_are_those_of_a_tenant(roles: list[str], expected: set[Role]) -> None:
    assert caller(*roles).roles == expected


def test_the_project_is_the_tenant_until_the_token_expires() -> None:
    found = caller("member")

    assert (found.tenant_id, found.expires_at) == (PROJECT, datetime(2026, 11, 28, 3, tzinfo=UTC))
    assert (found.subject, found.token) == ("u", "token")
    assert "token" not in repr(found)


@pytest.mark.parametrize(
    "token",
    [
        described("member", project=None),
        described("admin", project=None, domain={"id": "default"}),
        described("admin", project=None, system={"all": True}),
        described("member", project={"id": "not a project"}),
        described("service"),
        described(),
        described(roles=None),
        described(roles="member"),
    ],
)
def test_a_token_without_a_project_or_a_known_role_does_not_count(token: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        caller_of(token, "token", DEFAULT, "[0-9a-f]{32}")


@pytest.mark.parametrize("words", ["member", "member=", "member=king", "=admin", "member=admin,"])
def test_a_role_that_means_nothing_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="roles among"):
        role_map(words)


def test_in_front_of_a_cloud_a_tenant_id_is_a_project_id_unless_a_setting_says_otherwise() -> None:
    assert Settings(upstream="glance").tenant_id_pattern == "[0-9a-f]{32}"
    assert Settings(upstream="glance", tenant_id_pattern="[a-z]+").tenant_id_pattern == "[a-z]+"
    assert Settings().tenant_id_pattern == "[0-9]{1,20}"
