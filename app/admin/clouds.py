"""Checks of the cloud that the gateway stands in front of."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from app.admin.findings import Check, fail, note, ok, ok_or_fail
from app.errors import SetupError
from app.model import SeenImage
from app.settings import Settings
from app.upstream.errors import Unreadable, UpstreamError
from app.upstream.keystone import TokenRefused
from app.upstream.opening import Upstream, open_upstream
from app.upstream.service import Response, Service

ADMIN = "admin"
# The first Glance in which images can be hidden.
LEAST_GLANCE = (2, 7)
# The poll for changed images goes back by more than this.
MOST_APART = timedelta(seconds=3)
EXAMPLES = 20
ROLES = "Give it a role that only reads; docker/README.md says how, in two ways."


async def check_cloud(settings: Settings) -> AsyncIterator[Check]:
    """Check Keystone, Glance and RabbitMQ, without changing anything there."""
    try:
        cloud = open_upstream(settings)
    except SetupError as error:
        yield fail("upstream", str(error).removesuffix("."), "Without it `serve` refuses to start.")
        return
    if cloud is None:
        return
    try:
        yield await _keystone(settings, cloud)
        yield (glance := await _glance(settings, cloud))
        if glance.found.endswith("lists images"):
            yield await _rights(cloud)
        yield await _clocks(settings, cloud)
        yield await _bus(settings)
    finally:
        await cloud.close()


async def _keystone(settings: Settings, cloud: Upstream) -> Check:
    url = settings.upstream_keystone_url
    try:
        version = _version_of((await cloud.services["keystone"].call("GET", "", {})).body["version"])
        described = await cloud.keystone.describe(await cloud.credential.token())
    except (UpstreamError, TokenRefused, KeyError, TypeError) as error:
        advice = "Check IMAGE_GATEWAY_UPSTREAM_KEYSTONE_URL, and the gateway's user, password and project."
        return fail("keystone", f"{url} gives the gateway no token: {error}", advice)
    if ADMIN in {role["name"] for role in described.get("roles", ())}:
        return note("keystone", "the gateway's user is an admin, and may do more than it needs", ROLES)
    return ok("keystone", f"{url} (version {_text(version)}) gives the gateway a token")


async def _glance(settings: Settings, cloud: Upstream) -> Check:
    url = settings.upstream_glance_url
    try:
        newest = max(map(_version_of, (await _versions(settings)).body["versions"]))
        is_empty = await cloud.glance.is_empty()
    except (UpstreamError, KeyError, TypeError, ValueError) as error:
        advice = "Check IMAGE_GATEWAY_UPSTREAM_GLANCE_URL, and Glance's policy for the gateway's role."
        return fail("glance", f"{url} does not list images: {error}", advice)
    if newest < LEAST_GLANCE:
        advice = f"The gateway needs version {_text(LEAST_GLANCE)} of its API or a newer one."
        return fail("glance", f"{url} has version {_text(newest)}", advice)
    if is_empty:
        advice = "If there are images, Glance's policy does not let the gateway's role see them."
        return note("glance", f"{url} (version {_text(newest)}) lists no images", advice)
    return ok("glance", f"{url} (version {_text(newest)}) lists images")


async def _rights(cloud: Upstream) -> Check:
    """Check by an image of another project that the gateway sees its members and may not change it."""
    try:
        if (image := await _foreign_image(cloud)) is None:
            advice = (
                "If there are some, the gateway's user may read too little: Glance's policy differs from what "
                "IMAGE_GATEWAY_UPSTREAM_READ_ACCESS says. docker/README.md has both ways."
            )
            return note("rights", "the gateway sees no image of another project that is not public", advice)
        view = await cloud.glance.view(image.id, image.owner_id)
        if view is not None and view.members is None:
            advice = "Glance's policy must let its role do `get_members`, as docker/README.md says."
            return fail("rights", "the gateway may not see the members of a shared image", advice)
        may_change = await cloud.glance.may_change(image)
    except UpstreamError as error:
        return fail("rights", f"they could not be examined: {error}", "Run this again when Glance answers.")
    if may_change:
        return note("rights", "the gateway's user may change images of others, which it never needs", ROLES)
    return ok("rights", "the gateway sees the members of images of others, and may not change them")


async def _foreign_image(cloud: Upstream) -> SeenImage | None:
    """A shared image of another project, and not one that is shared to the gateway's own project."""
    described = await cloud.keystone.describe(await cloud.credential.token())
    own = described.get("project", {}).get("id")
    tried = 0
    async with aclosing(cloud.glance.images(visibility="shared", limit=str(EXAMPLES))) as images:
        async for image in images:
            if image.owner_id != own:
                if (tried := tried + 1) > EXAMPLES:
                    break
                view = await cloud.glance.view(image.id, image.owner_id)
                if view is not None and own not in (view.members or ()):
                    return image
    return None


async def _clocks(settings: Settings, cloud: Upstream) -> Check:
    try:
        answers = {
            "Keystone": await cloud.services["keystone"].call("GET", "", {}),
            "Glance": await _versions(settings),
        }
        apart = {name: _seconds_apart(answer.headers) for name, answer in answers.items()}
    except (UpstreamError, KeyError, ValueError) as error:
        return note("upstream clocks", f"they could not be read: {error}", "Compare them with this machine's.")
    found = ", ".join(f"{name}'s is {seconds:+.0f} s" for name, seconds in apart.items())
    is_ok = all(abs(seconds) <= MOST_APART.total_seconds() for seconds in apart.values())
    advice = "Let all of them follow NTP: a change could be overlooked until the sweep comes past."
    return ok_or_fail("upstream clocks", is_ok, f"beside this machine's clock {found}", advice)


async def _bus(settings: Settings) -> Check:
    if settings.upstream_bus_url is None:
        found = "no RabbitMQ is set, so that a sweep has to find the members that others change"
        return note("notifications", found, "Set IMAGE_GATEWAY_UPSTREAM_BUS_URL if Glance sends notifications.")
    # An extra, imported only where it is used.
    from app.upstream.notifications import Notifications

    try:
        await Notifications(settings.upstream_bus_url.get_secret_value(), settings.upstream_bus_queue).check()
    except Unreadable as error:
        advice = "It is there once Glance has sent a notification: set `driver = messagingv2` in Glance."
        return fail("notifications", str(error), advice)
    except UpstreamError as error:
        return fail("notifications", str(error), "Check IMAGE_GATEWAY_UPSTREAM_BUS_URL and RabbitMQ.")
    return ok("notifications", "RabbitMQ has the exchange that Glance sends them to")


async def _versions(settings: Settings) -> Response:
    service = Service(str(settings.upstream_glance_url), settings.upstream_seconds)
    try:
        return await service.call("GET", "/versions", {})
    finally:
        await service.close()


def _version_of(described: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(map(int, str(described["id"]).removeprefix("v").split(".")))


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _seconds_apart(headers: Mapping[str, str]) -> float:
    return (parsedate_to_datetime(headers["date"]) - datetime.now(UTC)).total_seconds()
