"""Who is calling, as a real Keystone says it."""

from collections.abc import AsyncGenerator

import pytest

from app.errors import Unauthenticated, Unavailable
from app.model import Role
from app.upstream.opening import Upstream
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import upstream_of
from tests.harness.kernel import free_port

pytestmark = pytest.mark.cloud
EVERYTHING_OF_A_TENANT = {Role.OBSERVER, Role.CREATOR, Role.ADMIN}


@pytest.fixture
async def upstream(cloud: Cloud) -> AsyncGenerator[Upstream]:
    upstream = upstream_of(cloud)
    yield upstream
    await upstream.close()


@pytest.mark.parametrize(
    ("user", "roles"),
    [
        ("producer", EVERYTHING_OF_A_TENANT),
        ("producer-manager", EVERYTHING_OF_A_TENANT),
        ("producer-reader", {Role.OBSERVER}),
        ("admin", set(Role)),
    ],
)
async def test_a_token_says_its_project_and_its_roles(
    cloud: Cloud, upstream: Upstream, user: str, roles: set[Role]
) -> None:
    caller = await upstream.authority.caller(await cloud.token(user))

    assert caller.roles == roles
    assert user == "admin" or caller.tenant_id == cloud.projects["producer"]


async def test_an_unscoped_a_domain_and_a_system_token_do_not_count(cloud: Cloud, upstream: Upstream) -> None:
    identity, admin = cloud.identity, await cloud.token("admin")
    roles, user = identity.request("GET", "/roles?name=admin", admin)["roles"], identity.user_of(admin)
    identity.request("PUT", f"/domains/default/users/{user}/roles/{roles[0]['id']}", admin)
    tokens = [
        identity.token("glance", None),
        identity.token("admin", None, domain={"id": "default"}),
        cloud.identity.token("admin", None, system={"all": True}),
    ]
    for token in tokens:
        with pytest.raises(Unauthenticated, match="project"):
            await upstream.authority.caller(token.id)


async def test_an_application_credential_speaks_for_its_project(cloud: Cloud, upstream: Upstream) -> None:
    token = cloud.identity.application_token("consumer", await cloud.token("consumer"))

    assert (await upstream.authority.caller(token)).tenant_id == cloud.projects["consumer"]


async def test_an_application_credential_with_access_rules_does_not_count(cloud: Cloud, upstream: Upstream) -> None:
    rules = [{"service": "image", "method": "GET", "path": "/v2/images"}]
    token = cloud.identity.application_token("consumer", await cloud.token("consumer"), access_rules=rules)

    with pytest.raises(Unauthenticated):
        await upstream.authority.caller(token)


async def test_who_is_trusted_by_a_user_acts_for_its_project(cloud: Cloud, upstream: Upstream) -> None:
    token = cloud.identity.trusted_token(await cloud.token("producer"), "consumer", await cloud.token("consumer"))
    caller = await upstream.authority.caller(token)

    assert (caller.tenant_id, caller.roles) == (cloud.projects["producer"], EVERYTHING_OF_A_TENANT)
    assert caller.subject == cloud.identity.user_of(await cloud.token("consumer"))


@pytest.mark.parametrize(
    "end", ["user disabled", "user deleted", "password changed", "role removed", "project disabled"]
)
async def test_a_token_ends_with_what_it_stands_on(cloud: Cloud, upstream: Upstream, end: str) -> None:
    identity, admin = cloud.identity, await cloud.token("admin")
    person = identity.newcomer(admin)
    token = identity.token(person.name, person.name).id
    assert (await upstream.authority.caller(token)).tenant_id == person.project_id

    match end:
        case "user disabled":
            identity.request("PATCH", f"/users/{person.user_id}", admin, user={"enabled": False})
        case "user deleted":
            identity.request("DELETE", f"/users/{person.user_id}", admin)
        case "password changed":
            identity.request("PATCH", f"/users/{person.user_id}", admin, user={"password": "another"})
        case "role removed":
            identity.request("DELETE", person.assignment, admin)
        case _:
            identity.request("PATCH", f"/projects/{person.project_id}", admin, project={"enabled": False})

    with pytest.raises(Unauthenticated):
        await upstream.authority.caller(token)


async def test_a_revoked_and_an_invented_token_do_not_count(cloud: Cloud, upstream: Upstream) -> None:
    revoked = await cloud.fresh_token("consumer")
    assert (await upstream.authority.caller(revoked)).tenant_id == cloud.projects["consumer"]
    cloud.identity.revoke(revoked)

    for token in (revoked, "invented"):
        with pytest.raises(Unauthenticated):
            await upstream.authority.caller(token)


async def test_a_role_that_may_not_use_the_gateway_does_not_count(cloud: Cloud, upstream: Upstream) -> None:
    with pytest.raises(Unauthenticated, match="roles"):
        await upstream.authority.caller(await cloud.token("glance"))


async def test_while_keystone_is_away_nobody_is_called_unauthenticated(cloud: Cloud) -> None:
    upstream = upstream_of(cloud, upstream_keystone_url=f"http://127.0.0.1:{free_port()}/v3")

    with pytest.raises(Unavailable):
        await upstream.authority.caller(await cloud.token("producer"))
    await upstream.close()
