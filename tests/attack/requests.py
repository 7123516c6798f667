"""Sends nearly valid HTTP requests: truncated, duplicated, slow, or followed by other bytes."""

import asyncio
import json
import re
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attack import words
from tests.attack.documents import UNHURRIED
from tests.attack.tally import Tally
from tests.harness.raw_connection import (
    Response,
    open_connection,
    operation,
    parse_responses,
    request,
    split_into,
    upgrade,
)
from tests.harness.server import Server

AT_ONCE = 32
LAST = request("GET", "/livez", "connection: close")
JSON_BODY = json.dumps({"query": "{ images { totalCount nodes { id } } }"}).encode()
TUNNELS = re.compile(rb"upgrade|CONNECT|PRI ", re.IGNORECASE)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")

LATIN = st.characters(codec="latin-1")
NAMES = st.sampled_from(words.NAMES) | st.text(LATIN, max_size=12)
VALUES = st.sampled_from(words.VALUES) | st.text(LATIN, max_size=30)
HEADERS = st.lists(st.tuples(NAMES, VALUES).map(": ".join), max_size=4)
METHODS, PATHS = st.sampled_from(words.METHODS), st.sampled_from(words.PATHS)
BODIES = st.sampled_from([b"", JSON_BODY, b"[" * 5_000, b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"]) | st.binary(
    max_size=40
)


class Damage(NamedTuple):
    """Damage to the bytes in transit, at a relative position."""

    kind: str
    place: float
    inserted: bytes

    def apply(self, data: bytes) -> bytes:
        at = int(self.place * len(data))
        if self.kind == "cut":
            return data[:at]
        if self.kind == "lose":
            return data[:at] + data[at + len(self.inserted) :]
        if self.kind == "double":
            return data[:at] + data[at : at + 40] * 2 + data[at + 40 :]
        return data[:at] + self.inserted + data[at + (len(self.inserted) if self.kind == "overwrite" else 0) :]


DAMAGES = st.lists(
    st.builds(
        Damage,
        st.sampled_from(["insert", "overwrite", "lose", "double", "cut"]),
        st.floats(0, 0.99),
        st.binary(min_size=1, max_size=6) | st.sampled_from([b"\r\n", b"\n", b"\r\n\r\n", b"\0", b":", b" ", b"\xff"]),
    ),
    max_size=2,
)


def _whole_requests(token: str) -> st.SearchStrategy[bytes]:
    known = st.just(f"authorization: Bearer {token}")
    headers = st.tuples(HEADERS, st.lists(known, max_size=1)).map(lambda both: both[0] + both[1])
    query = st.sampled_from(
        ["{ viewer { id } }", "{ images { nodes { id name members { totalCount } } } }", "{", "{x}"]
    )
    return st.one_of(
        st.builds(lambda query, headers: operation(query, *headers), query, headers),
        st.builds(lambda m, p, h, b: request(m, p, *h, body=b), METHODS, PATHS, headers, BODIES),
        st.builds(lambda headers: upgrade(*headers), HEADERS),
        st.builds(_chunked, headers, st.lists(st.binary(max_size=20), max_size=4), st.binary(max_size=10)),
    )


def _chunked(headers: list[str], chunks: list[bytes], trailer: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, JSON_BODY) if chunk)
    fixed_headers = ("content-type: application/json", "transfer-encoding: chunked")
    return request("POST", "/graphql", *fixed_headers, *headers, body=body + b"0\r\n" + trailer + b"\r\n")


class Conversation(NamedTuple):
    """The bytes that one client sends, in pieces, and how it ends the connection."""

    requests: list[bytes]
    damages: list[Damage]
    sizes: list[int]
    goes_away: bool

    @property
    def sent(self) -> bytes:
        data = b"".join(self.requests)
        for damage in self.damages:
            data = damage.apply(data)
        return data if self.goes_away else data + LAST


def attack(server: Server, tally: Tally, examples: int) -> None:
    conversations = st.builds(
        Conversation,
        st.lists(_whole_requests(server.token("1")), min_size=1, max_size=3),
        DAMAGES,
        st.lists(st.integers(1, 200), max_size=4),
        st.sampled_from([False, False, False, True]),
    )

    @settings(UNHURRIED, max_examples=max(4, examples // AT_ONCE))
    @given(st.lists(conversations, min_size=AT_ONCE, max_size=AT_ONCE))
    def run_batch(batch: list[Conversation]) -> None:
        asyncio.run(_run_batch(server, tally, batch))

    run_batch()


async def _run_batch(server: Server, tally: Tally, batch: list[Conversation]) -> None:
    await asyncio.gather(*(_run_conversation(server, tally, one) for one in batch))


async def _run_conversation(server: Server, tally: Tally, conversation: Conversation) -> None:
    sent = conversation.sent
    tally.count_cases("requests that are nearly right")
    async with open_connection(server.port) as client:
        # A connection upgraded to a WebSocket, or a tunnel, is not closed by another request.
        hearing = client.read_for(1.5) if TUNNELS.search(sent) else client.read_to_end()
        listening = asyncio.create_task(hearing)
        await client.send(*split_into(sent, conversation.sizes))
        if conversation.goes_away:
            listening.cancel()
            return
        try:
            received = await listening
        except TimeoutError:
            tally.add_violation("a line is kept open", sent)
            return
    _check_responses(received, sent, tally)


def _check_responses(received: bytes, sent: bytes, tally: Tally) -> None:
    if not received:
        tally.count_silence(sent)
        return
    try:
        found = parse_responses(received)
    except (ValueError, IndexError):
        # A response to HEAD has no body, and one to a broken request may be incomplete.
        found = [Response(int(status), {}, b"") for status in STATUS.findall(received)]
        if b"HEAD" not in sent and not any(b"close" in part.lower() for part in received.split(b"\r\n")):
            tally.add_violation(f"what is no answer: {received!r}", sent)
    for answer in found:
        tally.check_response(answer, sent)
