"""Many at once of what one may do: slow senders, watches, sockets, tokens. Others are served meanwhile."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random

from tests.attack.tally import Tally
from tests.harness.operations import WATCH
from tests.harness.server import Server
from tests.harness.wire import CLOSE, TEXT, Connection, frame, open_connection, operation, parse_responses, request

Flood = Callable[[Server, Tally, int], Awaitable[None]]
AT_ONCE, POURING_AT_ONCE = 32, 8
CHUNKED = ("content-type: application/json", "transfer-encoding: chunked")
DRIPS = [b"GET /graphql HTTP/1.1\r\nhost: here\r\n", request("POST", "/graphql", *CHUNKED), operation("{ x }")[:-3]]


async def slow_senders(server: Server, tally: Tally, number: int) -> None:
    """Slowloris: each is cut off with 408, however it drips."""
    await asyncio.gather(*(_drip(server, tally, DRIPS[place % len(DRIPS)]) for place in range(number)))


async def _drip(server: Server, tally: Tally, begun: bytes) -> None:
    tally.case("slow senders")
    async with open_connection(server.port) as client:
        await client.send(begun)
        hearing = asyncio.create_task(client.read_to_end())
        while not hearing.done():
            await client.send(b"1\r\n \r\n" if b"chunked" in begun else b"a: b\r\n" if begun.startswith(b"G") else b"")
            await asyncio.sleep(0.1)  # as slowly as it can, and never silent
        _expect(await hearing, {408}, begun, tally)


async def half_open(server: Server, tally: Tally, number: int) -> None:
    """Lines on which nothing is said, and sockets that are never introduced."""

    async def idle(place: int) -> None:
        tally.case("half-open lines")
        async with open_connection(server.port) as client:
            if place % 2:
                await client.upgrade()
                tally.close(await client.close_code(), "a socket that says nothing")
            else:
                assert not await client.read_to_end()

    await asyncio.gather(*(idle(place) for place in range(number)))


async def tokens(server: Server, tally: Tally, number: int) -> None:
    """Tokens that were never issued, each another one."""
    dice, real = Random(number), server.token("1")
    head, claims, signature = real.split(".")

    def forged() -> str:
        junk = f"{dice.getrandbits(200):050x}"
        return dice.choice(
            [f"{head}.{claims}.{junk}", f"{head}.{junk}.{signature}", f"{junk}.{claims}.{signature}", junk]
        )

    async def try_some(each: int) -> None:
        async with open_connection(server.port) as client:
            for _ in range(each):
                tally.case("forged tokens")
                await client.send(operation("{ viewer { id } }", f"authorization: Bearer {forged()}"))
                answer = await client.read_response()
                tally.answer(answer, "a forged token")
                if answer.status not in (401, 429):
                    tally.violation(f"a forged token is answered with {answer.status}")

    await asyncio.gather(*(try_some(number // 10) for _ in range(10)))


async def watches(server: Server, tally: Tally, number: int) -> None:
    """A tenant that watches more than it may, on sockets that go away or stay."""
    token = server.token("3")
    introduced = json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}).encode()

    async def watch(place: int) -> None:
        async with open_connection(server.port) as client:
            await client.upgrade()
            await client.send(frame(TEXT, introduced))
            for op in range(20):
                tally.case("watches too many")
                asked = {"type": "subscribe", "id": str(op), "payload": {"query": WATCH}}
                await client.send(frame(TEXT, json.dumps(asked).encode()))
            if place % 4 == 0:
                return
            await _hear_some(client, tally)
            await client.send(frame(CLOSE, b"\x03\xe8"))
            tally.close(await client.close_code(), "a socket with many watches")

    for _ in range(max(1, number // 200)):
        await asyncio.gather(*(watch(place) for place in range(10)))


async def _hear_some(client: Connection, tally: Tally) -> None:
    for _ in range(5):
        opcode, payload = await client.read_frame()
        if opcode != TEXT:
            return
        message = json.loads(payload)
        if message["type"] in ("next", "error"):
            tally.result(message["payload"], "one watch of many")


async def endless_headers(server: Server, tally: Tally, number: int) -> None:
    async def pour(place: int) -> None:
        tally.case("endless headers")
        async with open_connection(server.port) as client:
            hearing = asyncio.create_task(client.read_to_end())
            await client.send(request("POST", "/graphql", *CHUNKED)[:-2] if place % 2 else b"GET /")
            await client.send(*[b"a" * 999 if not place % 2 else b"a: " + b"b" * 990 + b"\r\n"] * 1_000)
            _expect(await hearing, {431} if place % 2 else {414}, "endless headers", tally)

    # A line that has brought nothing within `request_seconds` is closed, and these clients share one loop.
    for wave in range(0, number, POURING_AT_ONCE):
        await asyncio.gather(*(pour(place) for place in range(wave, min(number, wave + POURING_AT_ONCE))))


def _expect(heard: bytes, statuses: set[int], sent: object, tally: Tally) -> None:
    found = parse_responses(heard)
    if not found:
        tally.silence(sent)
    for answer in found:
        tally.answer(answer, sent)
        if answer.status not in statuses:
            tally.violation(f"a flood is answered with {answer.status}", sent)


FLOODS: dict[str, Flood] = {
    "slow senders": slow_senders,
    "half-open lines": half_open,
    "forged tokens": tokens,
    "watches too many": watches,
    "endless headers": endless_headers,
}
