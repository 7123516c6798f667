"""While Keystone and Glance are away: reads go on, changes do not, and `/readyz` says how old the mirror is."""

import json
from math import inf
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from app.errors import Unavailable
from app.main import create_app
from app.settings import Settings
from app.web.wire.mirror_age import MirrorAge
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway
from tests.harness.waiting import wait_until

NOWHERE = "http://127.0.0.1:1"  # no program listens there


@pytest.fixture
def app(databases: Databases) -> Starlette:
    settings: dict[str, Any] = {
        "upstream": "glance",
        "upstream_keystone_url": f"{NOWHERE}/v3",
        "upstream_glance_url": NOWHERE,
        "upstream_username": "user",
        "upstream_password": "secret",
        "upstream_project": "service",
        "upstream_poll_seconds": 0.05,
        "tenant_id_pattern": "[0-9]+",
    }
    return create_app(Settings(database_url=databases.fresh(), **settings))


async def readiness(app: Starlette) -> dict[str, str]:
    response = await app.state.parts.health.readyz(Request({"type": "http"}))
    return {"code": str(response.status_code), **json.loads(bytes(response.body))}


async def test_the_gateway_starts_and_reads_and_says_that_its_mirror_is_stale(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        parts = app.state.parts
        tenant = Gateway(parts.services, parts.pipeline.schema).tenant("1")
        await wait_until(lambda: parts.services.feed.is_healthy)

        assert await tenant.get("{ images { nodes { id } } }") == {"images": {"nodes": []}}
        told = await readiness(app)
        assert (told["code"], told["status"]) == ("200", "ok")
        assert "may be missing" in told["mirror"]


async def test_the_mirror_is_not_mentioned_while_it_is_young(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        parts = app.state.parts
        await wait_until(lambda: parts.services.feed.is_healthy)
        await parts.mirror.note_poll()
        await wait_until(lambda: parts.pipeline.mirror_age.stale is None)
        assert "mirror" not in await readiness(app)

        parts.pipeline.mirror_age._stale_seconds = 0.0
        assert "of the last" in (await readiness(app))["mirror"]


@pytest.mark.parametrize(("age", "expected"), [(29.9, {}), (30.9, {"mirror": 30}), (inf, {"mirror": None})])
def test_a_response_says_how_old_a_stale_mirror_is(age: float, expected: dict[str, int | None]) -> None:
    mirror_age = MirrorAge(lambda: age, stale_seconds=30)
    for extensions in ({}, {"cost": {"requestedQueryCost": 1}}):
        response: dict[str, Any] = {"data": {"images": {}}} | ({"extensions": extensions} if extensions else {})
        body = json.dumps(response, separators=(",", ":")).encode()
        assert json.loads(mirror_age.add_to_json(body, bool(extensions))) == mirror_age.add_to(dict(response))
        assert mirror_age.add_to(response).get("extensions", {}) == extensions | expected


async def test_a_change_is_unavailable_and_a_strange_token_is_not_called_bad(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        parts = app.state.parts
        with pytest.raises(Unavailable):
            await parts.identities.identify("a token that nobody has confirmed")
