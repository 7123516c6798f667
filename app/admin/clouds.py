"""Checks of the cloud that the gateway stands in front of."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.admin.findings import Check, fail, note, ok
from app.errors import SetupError
from app.settings import Settings
from app.upstream.errors import UpstreamError
from app.upstream.keystone import TokenRefused
from app.upstream.opening import Upstream, open_upstream

ADMIN = "admin"


async def check_cloud(settings: Settings) -> AsyncIterator[Check]:
    """Check Keystone and Glance, without changing anything there."""
    try:
        cloud = open_upstream(settings)
    except SetupError as error:
        yield fail("upstream", str(error).removesuffix("."), "Without it `serve` refuses to start.")
        return
    if cloud is None:
        return
    try:
        yield await _keystone(settings, cloud)
        yield await _glance(settings, cloud)
    finally:
        await cloud.close()


async def _keystone(settings: Settings, cloud: Upstream) -> Check:
    try:
        described = await cloud.keystone.describe(await cloud.credential.token())
    except (UpstreamError, TokenRefused) as error:
        advice = "Check IMAGE_GATEWAY_UPSTREAM_KEYSTONE_URL, and the gateway's user, password and project."
        return fail("keystone", f"{settings.upstream_keystone_url} gives the gateway no token: {error}", advice)
    if ADMIN in _roles(described):
        advice = "Give it a role that only reads; docker/README.md says how."
        return note("keystone", "the gateway's user is an admin, and may do more than it needs", advice)
    return ok("keystone", f"{settings.upstream_keystone_url} gives the gateway a token")


async def _glance(settings: Settings, cloud: Upstream) -> Check:
    try:
        is_empty = await cloud.glance.is_empty()
    except UpstreamError as error:
        advice = "Check IMAGE_GATEWAY_UPSTREAM_GLANCE_URL, and Glance's policy for the gateway's role."
        return fail("glance", f"{settings.upstream_glance_url} does not list images: {error}", advice)
    if is_empty:
        advice = "If there are images, Glance's policy does not let the gateway's role see them."
        return note("glance", f"{settings.upstream_glance_url} lists no images", advice)
    return ok("glance", f"{settings.upstream_glance_url} lists images")


def _roles(described: Mapping[str, Any]) -> set[str]:
    return {role["name"] for role in described.get("roles", ())}
