"""Privacy of locks: no caller waits for, or locks, an image that it may not see."""

import asyncio
from typing import Any

import psycopg

from tests.harness.databases import PostgresDatabases
from tests.harness.gateway import refusal_code, settings_for, start_gateway
from tests.harness.scenario import make_scenario


async def test_a_caller_never_waits_for_the_lock_of_an_image_that_it_may_not_see(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        scenario = await make_scenario(gateway, "none")
        with psycopg.connect(url.replace("+psycopg", "")) as elsewhere:
            elsewhere.execute("SELECT 1 FROM image FOR UPDATE")
            waiting = asyncio.create_task(scenario.owner.update(scenario.image, name="new"))
            for mutation, input in _mutations_of(scenario.image).items():
                assert refusal_code(await scenario.stranger.do(mutation, **input)) == "NOT_FOUND"
            assert not waiting.done()
        assert refusal_code(await waiting) == "ok"


def _mutations_of(image: str) -> dict[str, dict[str, Any]]:
    return {
        "updateImage": {"id": image, "name": "x"},
        "deleteImage": {"id": image},
        "offerImage": {"imageId": image, "tenantIds": ["5"]},
        "acceptOffer": {"imageId": image},
        "revokeMember": {"imageId": image, "tenantId": "5"},
    }


async def test_a_caller_never_locks_an_image_that_it_may_not_see(postgres_databases: PostgresDatabases) -> None:
    url = postgres_databases.fresh()
    async with start_gateway(settings_for(url)) as gateway:
        scenario = await make_scenario(gateway, "none")
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as elsewhere:
            version = "SELECT xmin::text, xmax::text FROM image"
            before = elsewhere.execute(version).fetchall()
            for mutation, input in _mutations_of(scenario.image).items():
                await scenario.stranger.do(mutation, **input)
            assert elsewhere.execute(version).fetchall() == before
