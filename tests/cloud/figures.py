"""python -m tests.cloud.figures: what the gateway costs and how fast it is in front of a cloud.

FILE is what `python -m tests.cloud` has announced. The CPU time of Glance includes that of its database.
"""

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import uuid4

import httpx2
import typer

from app.client import watch
from tests.cloud import cloud as clouds
from tests.cloud.catalogue import catalogue
from tests.cloud.cloud import Cloud
from tests.cloud.cpu import glance_seconds, process_seconds
from tests.cloud.gateway import front_settings
from tests.harness.commands import environment
from tests.harness.databases import SqliteDatabases
from tests.harness.server import Server, bearer, run_server
from tests.harness.waiting import poll

app = typer.Typer(pretty_exceptions_enable=False, help=__doc__)
WATCH = "subscription($after: Cursor) { watchOffers(after: $after) { cursor ... on MemberStatusChanged { status } } }"
IMAGE = "query($id: ID!) { image(id: $id) { id } }"
IMAGES = "{ images(first: 20) { nodes { id name status visibility sizeBytes minDiskGb tags createdAt updatedAt } } }"
WARM_UP = 8
Images = Annotated[int, typer.Option(help="Images of the catalogue in Glance.")]


@app.command()
def delay(
    file: Path,
    changes: Annotated[int, typer.Option(help="Changes to time.")] = 100,
    images: Images = 0,
) -> None:
    """The delay between Glance's response to a change and the watcher's item, with the bus and without."""
    cloud = clouds.read(file)
    if cloud.bus_url is not None:
        with catalogue(cloud, images) if images else nullcontext():
            _report(f"with the bus, beside {images} images", asyncio.run(_delays(cloud, cloud.bus_url, changes)))
    _report("without the bus", asyncio.run(_delays(cloud, None, changes)))


@app.command()
def first_import(
    file: Path,
    images: Images = 10_000,
    rate: Annotated[float, typer.Option(help="Images to read a second, at most.")] = 50,
) -> None:
    """The time of `image-gateway mirror`, and the CPU time that it takes."""
    cloud = clouds.read(file)
    with TemporaryDirectory() as name, catalogue(cloud, images):
        settings = front_settings(cloud) | {"database_url": SqliteDatabases(Path(name)).fresh()}
        began, glance, own = time.monotonic(), glance_seconds(cloud), _children_seconds()
        command = [sys.executable, "-m", "app", "mirror", "--rate", str(rate)]
        subprocess.run(command, env=environment(**settings), check=True)
        seconds, glance, own = time.monotonic() - began, glance_seconds(cloud) - glance, _children_seconds() - own
    typer.echo(f"{seconds:.0f} s; CPU: {glance:.0f} s of Glance, {own:.0f} s of the gateway")


@app.command("list")
def list_images(file: Path, requests: int = 200) -> None:
    """The CPU time of a list of 20 images, through the gateway and from Glance itself."""
    cloud = clouds.read(file)
    with TemporaryDirectory() as name, catalogue(cloud, 200) as images:
        settings: dict[str, Any] = front_settings(cloud) | {"upstream_poll_seconds": 600, "upstream_sweep_rate": 0}
        with run_server(Path(name), **settings) as server:
            asyncio.run(_list(cloud, server, images, requests))


async def _list(cloud: Cloud, server: Server, name: str, requests: int) -> None:
    token = await cloud.token("producer")
    async with cloud.images("producer") as glance, httpx2.AsyncClient(headers=bearer(token)) as client:

        async def has_a_page() -> bool:
            return await _count(client, server.url) >= 20

        await poll(has_a_page, 600)
        await asyncio.sleep(15)  # the import ends
        began = glance_seconds(cloud)
        for _ in range(requests):
            (await glance.get("/images", params={"limit": 20, "name": name})).raise_for_status()
        theirs = (glance_seconds(cloud) - began) / requests
        began = process_seconds(server.process.pid)
        for _ in range(5 * requests):
            (await client.post(server.url, json={"query": IMAGES})).raise_for_status()
        ours = (process_seconds(server.process.pid) - began) / (5 * requests)
    typer.echo(
        f"CPU of a list of 20: Glance {theirs * 1e3:.1f} ms, the gateway {ours * 1e3:.2f} ms: 1/{theirs / ours:.0f}"
    )


async def _count(client: httpx2.AsyncClient, url: str) -> int:
    return len((await client.post(url, json={"query": IMAGES})).json()["data"]["images"]["nodes"])


def _report(name: str, delays: list[float]) -> None:
    p99 = sorted(delays)[int(len(delays) * 0.99)]
    typer.echo(f"{name}: p50 {median(delays) * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms ({len(delays)} changes)")


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def _delays(cloud: Cloud, bus_url: str | None, changes: int) -> list[float]:
    """Seconds between Glance's response and the watcher's item, for changes one after the other."""
    settings: dict[str, Any] = front_settings(cloud)
    if bus_url is not None:
        settings |= {"upstream_bus_url": bus_url.replace("rabbit:", "amqp:"), "upstream_bus_queue": f"q{uuid4().hex}"}
    image_id, token = await cloud.image(), await cloud.token("consumer")
    with TemporaryDirectory() as name, run_server(Path(name), **settings) as server:
        await _mirrored(server, await cloud.token("producer"), image_id)
        async with aclosing(watch(server.ws_url, WATCH, token=lambda: token)) as items:
            await anext(items)
            found = [one async for one in _timed(cloud, image_id, items, WARM_UP + changes)]
    return found[WARM_UP:]


async def _mirrored(server: Server, token: str, image_id: str) -> None:
    async def is_there() -> bool:
        found = await asyncio.to_thread(server.post, IMAGE, token, id=image_id)
        return found.json()["data"]["image"] is not None

    await poll(is_there, 600)


async def _timed(cloud: Cloud, image_id: str, items: AsyncGenerator[Any], changes: int) -> AsyncGenerator[float]:
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
    sys.exit(app())
