"""python -m tests.cloud.latency FILE: how long a change in Glance takes to reach a watcher, with the bus and without.

FILE is what `python -m tests.cloud` has announced. A change is timed from Glance's answer to it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import uuid4

import typer

from app.client import watch
from tests.cloud import cloud as clouds
from tests.cloud.catalogue import catalogue
from tests.cloud.cloud import Cloud
from tests.cloud.gateway import front_settings
from tests.harness.server import Server, run_server

app = typer.Typer(pretty_exceptions_enable=False)
WATCH = "subscription($after: Cursor) { watchOffers(after: $after) { cursor ... on MemberStatusChanged { status } } }"
WARM_UP = 8


@app.command()
def main(
    file: Path,
    changes: Annotated[int, typer.Option(help="Changes to time.")] = 100,
    images: Annotated[int, typer.Option(help="Other images in Glance, which the sweep comes past.")] = 0,
) -> None:
    """Report the median and the 99th percentile of the delay, in milliseconds."""
    cloud = clouds.read(file)
    if cloud.bus_url is not None:
        with catalogue(cloud, images) if images else nullcontext():
            report(f"with the bus, beside {images} images", asyncio.run(delays_of(cloud, cloud.bus_url, changes)))
    report("without the bus", asyncio.run(delays_of(cloud, None, changes)))


def report(name: str, delays: list[float]) -> None:
    p99 = sorted(delays)[int(len(delays) * 0.99)]
    typer.echo(f"{name}: p50 {median(delays) * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms ({len(delays)} changes)")


async def delays_of(cloud: Cloud, bus_url: str | None, changes: int) -> list[float]:
    """Seconds between Glance's answer and the watcher's item, for changes one after the other."""
    settings = front_settings(cloud)
    if bus_url is not None:
        settings |= {"upstream_bus_url": bus_url.replace("rabbit:", "amqp:"), "upstream_bus_queue": f"q{uuid4().hex}"}
    image_id, token = await cloud.image(), await cloud.token("consumer")
    with TemporaryDirectory() as name, run_server(Path(name), **settings) as server:
        await _mirrored(server, await cloud.token("producer"), image_id)
        async with aclosing(watch(server.ws_url, WATCH, token=lambda: token)) as items:
            await anext(items)
            found = [delay async for delay in _delays(cloud, image_id, items, WARM_UP + changes)]
    return found[WARM_UP:]


async def _mirrored(server: Server, token: str, image_id: str) -> None:
    query = "query($id: ID!) { image(id: $id) { id } }"
    while (await asyncio.to_thread(server.post, query, token, id=image_id)).json()["data"]["image"] is None:
        await asyncio.sleep(0.5)


async def _delays(cloud: Cloud, image_id: str, items: AsyncGenerator[Any], changes: int) -> AsyncGenerator[float]:
    members, tenant_id = f"/images/{image_id}/members", cloud.projects["consumer"]
    async with cloud.images("producer") as owner, cloud.images("consumer") as consumer:
        for number in range(changes):
            arriving = asyncio.create_task(_arrival(items))
            match number % 4:
                case 0:
                    answer = await owner.post(members, json={"member": tenant_id})
                case 3:
                    answer = await owner.delete(f"{members}/{tenant_id}")
                case turn:
                    status = ("accepted", "rejected")[turn - 1]
                    answer = await consumer.put(f"{members}/{tenant_id}", json={"status": status})
            answered = time.monotonic()
            answer.raise_for_status()
            yield await arriving - answered


async def _arrival(items: AsyncGenerator[Any]) -> float:
    while "status" not in (await anext(items))["watchOffers"]:
        pass
    return time.monotonic()


if __name__ == "__main__":
    app()
