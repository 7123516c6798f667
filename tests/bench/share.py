"""What the watches of one tenant do to the point reads of another: p95 while they work, against p95 when all is calm.

The busy tenant holds many watches, each with a document of its own whose items have to be read from the store, and
offers images to many tenants again and again. The other tenant reads one image after the other on one connection. Calm
and busy turns alternate in one run, so that both meet the same machine; the ratio of the medians of their p95 counts.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import httpx2

from tests.bench.lines import Line
from tests.harness.operations import MUTATIONS
from tests.harness.server import Server, serving

BAR = 3.0
OFFERED_TO, CALM_AGAIN_SECONDS = 20, 1.0
POINT = "query($id: ID!) { image(id: $id) { id name } }"
NESTED = """subscription { watchOffers { alias%d: __typename cursor ... on MemberStatusChanged {
  member { id status image { id name members(first: 20) { nodes { id status } } } } } } }"""


async def compare(
    watches: int, rounds: int, seconds: float, say: Callable[[str], None], loop_share: float | None = None
) -> float:
    """The ratio, round by round and in all."""
    settings: dict[str, Any] = {"member_quota": -1, "bookmark_seconds": 3_600, "watch_loop_share": loop_share}
    with TemporaryDirectory() as folder, serving(Path(folder), **settings) as server:
        image, heard = server.register(server.token("2")), list[bytes]()
        async with _client(server, "2") as reader, _watches(server, watches, heard):
            calm, busy = list[float](), list[float]()
            for _ in range(rounds):
                calm.append(await _p95(reader, image, seconds))
                offering = asyncio.create_task(_offer_for(server, seconds))
                busy.append(await _p95(reader, image, seconds))
                await offering
                say(f"calm p95 {calm[-1] * 1e3:7.2f} ms   busy p95 {busy[-1] * 1e3:7.2f} ms   {len(heard)} payloads")
                await _quiet(heard)
    ratio = median(busy) / median(calm)
    say(f"ratio of the medians: {ratio:.1f} (bar: {BAR:g})")
    return ratio


async def _p95(reader: httpx2.AsyncClient, image: str, seconds: float) -> float:
    spent, until = list[float](), perf_counter() + seconds
    while perf_counter() < until:
        began = perf_counter()
        answer = await reader.post("/graphql", json={"query": POINT, "variables": {"id": image}})
        spent.append(perf_counter() - began)
        assert answer.json()["data"]["image"]["id"] == image
        await asyncio.sleep(0.002)
    return quantiles(spent, n=20)[-1]


async def _offer_for(server: Server, seconds: float) -> None:
    """A new image, offered to so many tenants, each second."""
    owner, until, number = server.token("1"), perf_counter() + seconds, 10**6
    async with _client(server, "1") as client:
        while perf_counter() < until:
            image = await asyncio.to_thread(server.register, owner)
            tenants = [str(number + one) for one in range(OFFERED_TO)]
            body = {"query": MUTATIONS["offerImage"], "variables": {"input": {"imageId": image, "tenantIds": tenants}}}
            assert (await client.post("/graphql", json=body)).json()["data"]["offerImage"]["errors"] == []
            await asyncio.sleep(1)


async def _quiet(heard: list[bytes]) -> None:
    """Return when all that was to be told has been: nothing more comes for a while."""
    before = -1
    while len(heard) > before:
        before = len(heard)
        await asyncio.sleep(CALM_AGAIN_SECONDS)


@asynccontextmanager
async def _client(server: Server, tenant_id: str) -> AsyncGenerator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {server.token(tenant_id)}"}
    async with httpx2.AsyncClient(base_url=server.base, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@asynccontextmanager
async def _watches(server: Server, count: int, heard: list[bytes]) -> AsyncGenerator[None]:
    loop, lines, token = asyncio.get_running_loop(), list[Line](), server.token("1")
    for number in range(count):
        query = NESTED % number
        _, line = await loop.create_connection(
            lambda query=query: Line(server.port, token, query, heard.append), "127.0.0.1", server.port
        )
        lines.append(line)
    try:
        while len(heard) < count:
            await asyncio.sleep(0.05)  # the first item of each says that it has begun
        yield
    finally:
        for line in lines:
            line.close()
