"""Sends WebSocket messages in any order, whole or fragmented, and invalid frames."""

import asyncio
import json
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attack.documents import UNHURRIED
from tests.attack.requests import AT_ONCE, DAMAGES, Damage
from tests.attack.tally import Tally
from tests.harness.operations import MUTATIONS, OFFERS, WATCH
from tests.harness.raw_connection import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawConnection,
    frame,
    open_connection,
    split_into,
)
from tests.harness.server import Server

INIT = b'{"type":"connection_init"}'
QUERIES = ["{ __typename }", "{ viewer { id } }", "{", "{ x }", WATCH, OFFERS, MUTATIONS["acceptOffer"], ""]
JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.integers(), max_size=2)
PAYLOADS = st.fixed_dictionaries(
    {"query": st.sampled_from(QUERIES)},
    optional={"variables": st.just({"input": {"imageId": "x"}}) | JUNK, "operationName": JUNK, "extensions": JUNK},
)
TYPES = ["connection_init", "subscribe", "subscribe", "subscribe", "complete", "ping", "pong", "next", "start"]
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)}, optional={"id": st.sampled_from(["1", "2", "3"]), "payload": PAYLOADS | JUNK}
).map(lambda message: json.dumps(message).encode())
TEXTS = MESSAGES | MESSAGES | st.binary(max_size=30) | st.just(b"x" * 66_000)


def _fragment(text: bytes, sizes: list[int], between: bytes) -> bytes:
    first, *rest = split_into(text, sizes) or [b""]
    frames = [frame(TEXT, first, final=not rest)]
    for number, piece in enumerate(rest, 1):
        frames += [frame(PING, between), frame(CONTINUATION, piece, final=number == len(rest))]
    return b"".join(frames)


OPCODES = st.sampled_from([CONTINUATION, TEXT, BINARY, 3, 7, CLOSE, PING, PONG, 11, 15])
FRAMES = st.one_of(
    TEXTS.map(lambda text: frame(TEXT, text)),
    TEXTS.map(lambda text: frame(TEXT, text)),
    st.builds(_fragment, TEXTS, st.lists(st.integers(1, 30), max_size=4), st.binary(max_size=125)),
    st.builds(
        frame, OPCODES, st.binary(max_size=130), st.booleans(), st.sampled_from([True, True, False]), st.integers(0, 7)
    ),
    st.integers(0, 65_535).map(lambda code: frame(CLOSE, struct.pack("!H", code))),
    st.just(frame(CONTINUATION, b"", final=False) * 300),
    st.just(b"\x81\xff" + b"\xff" * 8),
)


def attack(server: Server, tally: Tally, examples: int) -> None:
    introduced = json.dumps(
        {"type": "connection_init", "payload": {"Authorization": f"Bearer {server.token('1')}"}}
    ).encode()
    conversations = st.tuples(
        st.sampled_from([b"", frame(TEXT, INIT), frame(TEXT, introduced), frame(TEXT, introduced)]),
        st.lists(FRAMES, max_size=6),
        DAMAGES,
        st.lists(st.integers(1, 60), max_size=4),
        st.sampled_from([False, False, False, True]),
    )

    @settings(UNHURRIED, max_examples=max(4, examples // AT_ONCE))
    @given(st.lists(conversations, min_size=AT_ONCE, max_size=AT_ONCE))
    def run_batch(batch: list[Any]) -> None:
        asyncio.run(_run_batch(server, tally, batch))

    run_batch()


async def _run_batch(server: Server, tally: Tally, batch: list[Any]) -> None:
    await asyncio.gather(*(_run_case(server, tally, *one) for one in batch))


async def _run_case(
    server: Server, tally: Tally, first: bytes, frames: list[bytes], damages: list[Damage], sizes: list[int], away: bool
) -> None:
    data = b"".join(frames)
    for damage in damages:
        data = damage.apply(data)
    tally.count_cases("frames that are nearly right")
    async with open_connection(server.port) as client:
        await client.upgrade()
        await client.send(first)
        await client.send(*split_into(data, sizes))
        if away:
            return
        await client.send(frame(CLOSE, struct.pack("!H", 1000)))
        ending = asyncio.create_task(_read_until_closed(client, tally, data))
        if not (await asyncio.wait({ending}, timeout=0.5))[0]:
            # This many bytes complete any damaged frame.
            await client.send(*[b"\0" * 8_000] * 9)
        tally.check_close_code(await ending, data)


async def _read_until_closed(client: RawConnection, tally: Tally, sent: bytes) -> int | None:
    """Read until the server closes, checking that each text is a protocol message, and return the close code."""
    try:
        while True:
            async with asyncio.timeout(20):
                opcode, payload = await client.read_frame()
            if opcode == CLOSE:
                return struct.unpack_from("!H", payload)[0] if payload else 1005
            if opcode == TEXT:
                message = json.loads(payload)
                if message["type"] in ("next", "error"):
                    tally.check_payload(message["payload"], sent)
    except TimeoutError:
        tally.add_violation("a socket is kept open", sent)
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    return 1000
