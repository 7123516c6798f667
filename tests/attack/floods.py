"""Floods of slow senders, watches, sockets and tokens, while other clients must still be served."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random

from tests.attack.tally import Tally
from tests.harness.operations import WATCH
from tests.harness.raw_connection import (
    CLOSE,
    TEXT,
    RawConnection,
    frame,
    open_connection,
    operation,
    parse_responses,
    request,
)
from tests.harness.server import Server

Flood = Callable[[Server, Tally, int], Awaitable[None]]
AT_ONCE, POURING_AT_ONCE = 32, 8
CHUNKED = ("content-type: application/json", "transfer-encoding: chunked")
DRIPS = [b"GET /graphql HTTP/1.1\r\nhost: here\r\n", request("POST", "/graphql", *CHUNKED), operation("{ x }")[:-3]]


async def slow_senders(server: Server, tally: Tally, number: int) -> None:
    """Slowloris: each sender must be cut off with 408."""
    await asyncio.gather(*(_send_slowly(server, tally, DRIPS[place % len(DRIPS)]) for place in range(number)))


async def _send_slowly(server: Server, tally: Tally, begun: bytes) -> None:
    tally.count_cases("slow senders")
    async with open_connection(server.port) as client:
        await client.send(begun)
        hearing = asyncio.create_task(client.read_to_end())
        while not hearing.done():
            await client.send(b"1\r\n \r\n" if b"chunked" in begun else b"a: b\r\n" if begun.startswith(b"G") else b"")
            await asyncio.sleep(0.1)  # slowly, but never idle
        _check_statuses(await hearing, {408}, begun, tally)


async def idle_connections(server: Server, tally: Tally, number: int) -> None:
    """Idle connections, and sockets that never send `connection_init`."""

    async def idle(place: int) -> None:
        tally.count_cases("half-open lines")
        async with open_connection(server.port) as client:
            if place % 2:
                await client.upgrade()
                tally.check_close_code(await client.close_code(), "a socket that says nothing")
            else:
                assert not await client.read_to_end()

    await asyncio.gather(*(idle(place) for place in range(number)))


async def forged_tokens(server: Server, tally: Tally, number: int) -> None:
    """Send forged tokens, each of them different."""
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
                tally.count_cases("forged tokens")
                await client.send(operation("{ viewer { id } }", f"authorization: Bearer {forged()}"))
                answer = await client.read_response()
                tally.check_response(answer, "a forged token")
                if answer.status not in (401, 429):
                    tally.add_violation(f"a forged token is answered with {answer.status}")

    await asyncio.gather(*(try_some(number // 10) for _ in range(10)))


async def watches(server: Server, tally: Tally, number: int) -> None:
    """Open more watches of one tenant than its limit, on sockets that disconnect or stay."""
    token = server.token("3")
    introduced = json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}).encode()

    async def watch(place: int) -> None:
        async with open_connection(server.port) as client:
            await client.upgrade()
            await client.send(frame(TEXT, introduced))
            for op in range(20):
                tally.count_cases("watches too many")
                watch_message = {"type": "subscribe", "id": str(op), "payload": {"query": WATCH}}
                await client.send(frame(TEXT, json.dumps(watch_message).encode()))
            if place % 4 == 0:
                return
            await _read_some_frames(client, tally)
            await client.send(frame(CLOSE, b"\x03\xe8"))
            tally.check_close_code(await client.close_code(), "a socket with many watches")

    for _ in range(max(1, number // 200)):
        await asyncio.gather(*(watch(place) for place in range(10)))


async def _read_some_frames(client: RawConnection, tally: Tally) -> None:
    for _ in range(5):
        opcode, payload = await client.read_frame()
        if opcode != TEXT:
            return
        message = json.loads(payload)
        if message["type"] in ("next", "error"):
            tally.check_payload(message["payload"], "one watch of many")


async def endless_headers(server: Server, tally: Tally, number: int) -> None:
    async def send_headers(place: int) -> None:
        tally.count_cases("endless headers")
        async with open_connection(server.port) as client:
            hearing = asyncio.create_task(client.read_to_end())
            await client.send(request("POST", "/graphql", *CHUNKED)[:-2] if place % 2 else b"GET /")
            await client.send(*[b"a" * 999 if not place % 2 else b"a: " + b"b" * 990 + b"\r\n"] * 1_000)
            _check_statuses(await hearing, {431} if place % 2 else {414}, "endless headers", tally)

    # Idle connections are closed after `request_seconds`, and these clients share one event loop.
    for wave in range(0, number, POURING_AT_ONCE):
        await asyncio.gather(*(send_headers(place) for place in range(wave, min(number, wave + POURING_AT_ONCE))))


def _check_statuses(heard: bytes, statuses: set[int], sent: object, tally: Tally) -> None:
    found = parse_responses(heard)
    if not found:
        tally.count_silence(sent)
    for answer in found:
        tally.check_response(answer, sent)
        if answer.status not in statuses:
            tally.add_violation(f"a flood is answered with {answer.status}", sent)


FLOODS: dict[str, Flood] = {
    "slow senders": slow_senders,
    "half-open lines": idle_connections,
    "forged tokens": forged_tokens,
    "watches too many": watches,
    "endless headers": endless_headers,
}
