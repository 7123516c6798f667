"""The short form of `python -m tests.attack.framings`: no request hidden in another's body is executed."""

import asyncio
from collections.abc import Generator
from contextlib import ExitStack
from itertools import islice

import pytest

from tests.attack.framings import LAST, Route, attack, cases, hidden_request, routes
from tests.harness import balancer, nginx
from tests.harness.raw_connection import open_connection
from tests.harness.server import Server, run_server

pytestmark = [pytest.mark.slow, pytest.mark.long]
EXAMPLES = 96


@pytest.fixture(scope="module")
def installed_routes(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Server, dict[str, Route]]]:
    folder = tmp_path_factory.mktemp("smuggling")
    with ExitStack() as held:
        server = held.enter_context(run_server(folder, max_body_bytes=20_000, request_seconds=1))
        found = routes(server, folder, held)
        yield server, {way.name: way for way in found}


@pytest.mark.parametrize("name", ["direct", "nginx", "haproxy"])
async def test_no_hidden_request_is_executed(installed_routes: tuple[Server, dict[str, Route]], name: str) -> None:
    server, found = installed_routes
    if name not in found:
        pytest.skip(str(nginx.reason_to_skip() or balancer.reason_to_skip()))
    assert await attack(server, found[name], seed=1, examples=EXAMPLES) == []


async def test_a_hidden_request_would_be_executed_on_its_own_connection(
    installed_routes: tuple[Server, dict[str, Route]],
) -> None:
    server, found = installed_routes
    token = server.token("6000000")
    for number, way in enumerate(found.values()):
        async with open_connection(way.port, way.trust) as client:
            await client.send(hidden_request(f"open {number}", token) + LAST)
            await client.read_to_end()
    count = await asyncio.to_thread(server.data, "{ images { totalCount } }", token)
    assert count == {"images": {"totalCount": len(found)}}


def test_a_seed_generates_the_same_cases() -> None:
    first, again, other = (list(islice(cases(seed, "x", "y"), 20)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
