"""Who is calling, as a real Keystone says it."""

from collections.abc import AsyncGenerator

import pytest

from app.errors import Unauthenticated, Unavailable
from app.model import Role
from app.upstream.opening import Upstream
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import upstream_of
from tests.cloud.process import free_port

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
    tokens = [
        cloud.identity.token("glance", None),
        cloud.identity.token("admin", None, system={"all": True}),
    ]
    for token in tokens:
        with pytest.raises(Unauthenticated, match="project"):
            await upstream.authority.caller(token.id)


async def test_an_application_credential_speaks_for_its_project(cloud: Cloud, upstream: Upstream) -> None:
    token = cloud.identity.application_token("consumer", await cloud.token("consumer"))

    assert (await upstream.authority.caller(token)).tenant_id == cloud.projects["consumer"]


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
