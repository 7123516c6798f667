"""Measures how one tenant's watches slow down another's point reads: their p95, busy against calm.

The busy tenant holds many watches, each with a document of its own whose items have to be read from the store, and
repeatedly offers images to many tenants. The other tenant reads one image after another on one connection, from
a separate process, which the watching clients don't delay. Calm and busy periods alternate in one run, so that both
see the same machine. The result is the ratio of the medians of their p95.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import httpx2

from tests.bench.lines import WatchConnection
from tests.bench.timed import TimedConnection
from tests.harness.operations import MUTATIONS
from tests.harness.server import Server, run_server

BAR = 3.0
OFFERED_TO, CALM_AGAIN_SECONDS = 20, 1.0
POINT = "query($id: ID!) { image(id: $id) { id name } }"
NESTED = """subscription { watchOffers { alias%d: __typename cursor ... on MemberStatusChanged {
  member { id status image { id name members(first: 20) { nodes { id status } } } } } } }"""


async def compare(
    watches: int, rounds: int, seconds: float, say: Callable[[str], None], loop_share: float | None = None
) -> float:
    """Print the ratio of each round and the total."""
    settings: dict[str, Any] = {"member_quota": -1, "bookmark_seconds": 3_600, "watch_loop_share": loop_share}
    with TemporaryDirectory() as folder, run_server(Path(folder), **settings) as server:
        image, received = server.register(server.token("2")), list[bytes]()
        calm, busy = list[float](), list[float]()
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            read = _reader(process, server.port, _point_read(server.token("2"), image))
            async with _watches(server, watches, received):
                for _ in range(rounds):
                    calm.append(await read(seconds))
                    offering = asyncio.create_task(_offer_for(server, seconds))
                    busy.append(await read(seconds))
                    await offering
                    say(f"calm p95 {calm[-1]:7.2f} ms   busy p95 {busy[-1]:7.2f} ms   {len(received)} payloads")
                    await _wait_for_quiet(received)
    ratio = median(busy) / median(calm)
    say(f"ratio of the medians: {ratio:.1f} (bar: {BAR:g})")
    return ratio


def _point_read(token: str, image: str) -> bytes:
    body = json.dumps({"query": POINT, "variables": {"id": image}})
    head = f"POST /graphql HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def _reader(process: Executor, port: int, request: bytes) -> Callable[[float], Awaitable[float]]:
    """A function that sends point reads from another process for a time, and returns their 95th percentile."""
    loop = asyncio.get_running_loop()
    return lambda seconds: loop.run_in_executor(process, _p95, port, request, seconds)


def _p95(port: int, request: bytes, seconds: float) -> float:
    """The 95th percentile of the time of point reads, in milliseconds."""
    connection, spent, until = TimedConnection(port), list[float](), perf_counter() + seconds
    while perf_counter() < until or len(spent) < 2:
        took, response = connection.send(request)
        assert response["data"]["image"]["name"], response
        spent.append(took / 1e3)
        sleep(0.002)
    connection.close()
    return quantiles(spent, n=20)[-1]


async def _offer_for(server: Server, seconds: float) -> None:
    """Register an image each second and offer it to many tenants."""
    owner, until, number = server.token("1"), perf_counter() + seconds, 10**6
    async with _client(server, "1") as client:
        while perf_counter() < until:
            image = await asyncio.to_thread(server.register, owner)
            tenants = [str(number + one) for one in range(OFFERED_TO)]
            body = {"query": MUTATIONS["offerImage"], "variables": {"input": {"imageId": image, "tenantIds": tenants}}}
            assert (await client.post("/graphql", json=body)).json()["data"]["offerImage"]["errors"] == []
            await asyncio.sleep(1)


async def _wait_for_quiet(received: list[bytes]) -> None:
    """Wait until no more items have arrived for a while."""
    before = -1
    while len(received) > before:
        before = len(received)
        await asyncio.sleep(CALM_AGAIN_SECONDS)


@asynccontextmanager
async def _client(server: Server, tenant_id: str) -> AsyncGenerator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {server.token(tenant_id)}"}
    async with httpx2.AsyncClient(base_url=server.base, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@asynccontextmanager
async def _watches(server: Server, count: int, received: list[bytes]) -> AsyncGenerator[None]:
    loop, lines, token = asyncio.get_running_loop(), list[WatchConnection](), server.token("1")
    for number in range(count):
        query = NESTED % number
        _, line = await loop.create_connection(
            lambda query=query: WatchConnection(server.port, token, query, received.append), "127.0.0.1", server.port
        )
        lines.append(line)
    try:
        while len(received) < count:
            await asyncio.sleep(0.05)  # the first item of each watch shows that it has started
        yield
    finally:
        for line in lines:
            line.close()
