"""The six workloads, as HTTP requests that are prepared before the measurement."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple

from app.model import Role
from app.web.callers.identity import SharedSecret
from tests.bench.load import CONNECTIONS
from tests.bench.queries import ACCEPT, DEEP, INBOX, LIST, OFFER, POINT
from tests.bench.seed import World
from tests.harness.gateway import settings_for

CALLERS, CONSUMERS, CHECKED_OFFERS = 20, 2_000, 10
# Tenants that call only once, and how many of their requests are prepared in advance.
FIRST_NEWCOMER, NEWCOMERS_A_SECOND = 2 * 10**9, 1_000
UNKNOWN_IMAGE = "00000000-0000-4000-8000-000000000000"
# The number of offers that fill an image's quota.
ROOM = 120
PAIRS_A_SECOND = 4_000


class BenchRequest(NamedTuple):
    """One request: its token, query and variables."""

    token: str
    query: str
    variables: dict[str, Any]

    def raw(self, path: str = "/graphql") -> bytes:
        body = json.dumps({"query": self.query, "variables": self.variables}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


# Translates a request for a server, and generates the requests of one connection.
Put = Callable[[BenchRequest], BenchRequest]
Source = Callable[[int, Put], Iterator[bytes]]


class Tokens:
    """One token for each tenant, valid for longer than any run."""

    def __init__(self) -> None:
        self._secret = SharedSecret(settings_for("sqlite+aiosqlite:///none.db"))
        self._minted = dict[tuple[str, Role], str]()

    def of(self, tenant_id: str, role: Role = Role.ADMIN) -> str:
        key = (tenant_id, role)
        if key not in self._minted:
            self._minted[key] = self._secret.mint(tenant_id, frozenset({role}), timedelta(hours=12), "bench")
        return self._minted[key]


@dataclass
class Workload:
    """Named as on the command line: requests to check answers with, then sources of requests for the load.

    `warm` are sent once before the load, where callers come back to a server that knows their documents.
    """

    name: str
    checked: list[BenchRequest]
    source: Source
    prepare: Callable[[float], None] = lambda _: None
    warm: Sequence[BenchRequest] = ()


def workloads(world: World) -> dict[str, Workload]:
    """The workloads on this world, by name."""
    tokens = Tokens()
    callers = [(tokens.of(tenant), tenant) for tenant in world.heavy[:CALLERS]]
    own = [(token, image) for token, tenant in callers for image in world.images_of(tenant)[:5]]
    reads = {
        "point": [BenchRequest(token, POINT, {"id": image}) for token, image in own],
        "list": [BenchRequest(token, LIST, {"first": 20, "inner": 5}) for token, _ in callers],
        "inbox": [BenchRequest(token, INBOX, {"first": 50}) for token, _ in callers],
        "deep": [BenchRequest(token, DEEP, {"id": image}) for token, image in own],
    }
    found = {name: Workload(name, asks, reading(asks)) for name, asks in reads.items()}
    handshakes = Handshakes(world, tokens)
    found["offers"] = Workload(
        "offers", handshakes.checked, handshakes.source, handshakes.prepare, handshakes.first_requests()
    )
    newcomers = FirstRequests(own[0][1], tokens)
    found["first"] = Workload("first", reads["point"], newcomers.source, newcomers.prepare)
    return found


def reading(asks: Sequence[BenchRequest]) -> Source:
    """A source that repeats the same requests; each connection starts at a different one."""

    def source(number: int, put: Put) -> Iterator[bytes]:
        made = [put(ask).raw() for ask in asks]
        for turn in count(number):
            yield made[turn % len(made)]

    return source


class FirstRequests:
    """The point query, each time as a tenant that has sent nothing before."""

    def __init__(self, image: str, tokens: Tokens) -> None:
        self._image = image
        self._tokens = tokens

    def prepare(self, seconds: float) -> None:
        """Mint enough tokens for this time."""
        for number in range(int(seconds * NEWCOMERS_A_SECOND)):
            self._ask(number)

    def source(self, number: int, put: Put) -> Iterator[bytes]:
        for turn in count(number, CONNECTIONS):
            yield put(self._ask(turn)).raw()

    def _ask(self, number: int) -> BenchRequest:
        return BenchRequest(self._tokens.of(str(FIRST_NEWCOMER + number)), POINT, {"id": self._image})


class Handshakes:
    """Offers and acceptances in turn; no consumer is offered the same image twice."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._images = world.own_images
        self._tokens = tokens
        self._made = list[tuple[bytes, bytes]]()
        self.checked = [ask for number in range(CHECKED_OFFERS) for ask in self._pair(number)]

    def first_requests(self) -> list[BenchRequest]:
        """A request with the document of each caller that changes nothing."""
        owners = dict.fromkeys(owner for owner, _ in self._images)
        offer = {"input": {"imageId": UNKNOWN_IMAGE, "tenantIds": [str(10**9)]}}
        accept = {"input": {"imageId": UNKNOWN_IMAGE}}
        consumers = [str(10**9 + number) for number in range(CONSUMERS)]
        return [BenchRequest(self._tokens.of(owner), OFFER, offer) for owner in owners] + [
            BenchRequest(self._tokens.of(consumer), ACCEPT, accept) for consumer in consumers
        ]

    def prepare(self, seconds: float) -> None:
        """Prepare enough requests for a fast server in this time."""
        self._make(min(int(seconds * PAIRS_A_SECOND), ROOM * len(self._images) - CHECKED_OFFERS))

    def source(self, number: int, _: Put) -> Iterator[bytes]:
        for turn in count(number, CONNECTIONS):
            self._make(turn + 1)
            yield from self._made[turn]

    def _make(self, pairs: int) -> None:
        for number in range(len(self._made), pairs):
            offer, accept = self._pair(CHECKED_OFFERS + number)
            self._made.append((offer.raw(), accept.raw()))

    def _pair(self, number: int) -> tuple[BenchRequest, BenchRequest]:
        owner, image = self._images[number % len(self._images)]
        turn = number // len(self._images)
        assert turn < ROOM, "every image has all the offers that it takes: measure for a shorter time"
        consumer = str(10**9 + (number + turn) % CONSUMERS)
        offer = {"input": {"imageId": image, "tenantIds": [consumer]}}
        accept = {"input": {"imageId": image}}
        return BenchRequest(self._tokens.of(owner), OFFER, offer), BenchRequest(
            self._tokens.of(consumer), ACCEPT, accept
        )
