"""python -m tests.attack.framings: hides a request in the body of another, in every framing; it must not run.

Requests are sent directly, through nginx and through HAProxy, each with its configuration in docker/. Each hidden
request registers an image named after its case, so the store shows which of them were executed.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import typer

from tests.harness import balancer, nginx
from tests.harness.kernel import free_port
from tests.harness.raw_connection import RawConnection, open_connection, operation, request
from tests.harness.report import report_and_exit
from tests.harness.server import Server, run_server

AT_ONCE = 8
LAST = request("GET", "/livez", "connection: close")
NOTHING = ()
KEY = ("sec-websocket-key: c2l4dGVlbiBvY3RldHMgIQ==", "sec-websocket-version: 13")
PROTOCOL = "sec-websocket-protocol: graphql-transport-ws"
UPGRADES: list[tuple[str, ...]] = [
    NOTHING,
    ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"),
    ("connection: Upgrade", "upgrade: TLS/1.2, foo"),
    ("connection: Upgrade", "upgrade: h2c, websocket"),
    ("connection: keep-alive", "connection: upgrade", "upgrade: foo"),
    ("connection: close, Upgrade", "upgrade: h2c"),
    ("connection: Upgrade", "upgrade: websocket"),
    ("connection: Upgrade", "upgrade: WebSocket", *KEY, PROTOCOL),
    ("connection: Upgrade", "upgrade: websocket", KEY[0], "sec-websocket-version: 7"),
    ("connection: Upgrade", "upgrade: "),
    ("upgrade: h2c",),
]
LINES = [
    *("POST /graphql", "POST /graphql", "GET /graphql", "DELETE /graphql", "POST /livez", "POST /nowhere"),
    *("HEAD /graphql", "OPTIONS *", "CONNECT here:80", "POST /graphql/", "POST /graphql%0a", "PRI *"),
]
KINDS = ["application/json", "application/json", "text/plain", "application/json; charset=utf-16"]
# More than the limit of a body (20 kB here), or more than uvicorn reads ahead.
PADDINGS = [0, 0, 2, 30_000, 150_000, 150_000]
# Not "0 0", which nginx parses as the end of the body, so that it forwards what follows as a separate request.
NO_SIZES = [b"0x0", b"-1", b"", b"fffffffffffffffff"]
FRAMINGS = ["sized", "sized", "chunked", "chunked", "crumbs", "extended", "trailers", "both", "two sizes", "odd chunk"]


class SmugglingCase(NamedTuple):
    """A conversation: its pieces, and those after which the client waits for a response."""

    pieces: list[bytes]
    waits: bool


def cases(seed: int, marker: str, token: str) -> Iterator[SmugglingCase]:
    """Generate cases indefinitely. A seed always generates the same cases."""
    dice, number = Random(seed), 0
    while True:
        number += 1
        yield _case(dice, hidden_request(f"{marker} {number}", token), token)


def hidden_request(name: str, token: str) -> bytes:
    query = (
        f'mutation {{ registerImage(input: {{name: "{name}", origin: SNAPSHOT, serverId: "s"}}) {{ image {{ id }} }} }}'
    )
    return operation(query, f"authorization: Bearer {token}")


def _case(dice: Random, inner: bytes, token: str) -> SmugglingCase:
    before = dice.choice([[], [], [operation("{ __typename }")], [request()] * 3])
    head, body = _outer_request(dice, b"\r\n" * (dice.choice(PADDINGS) // 2) + inner, token)
    cut = dice.randrange(len(body))
    body_pieces = dice.choice([[body], [body[:cut], body[cut:]]])
    pieces = dice.choice([[head, *body_pieces], [head + body_pieces[0], *body_pieces[1:]]])
    return SmugglingCase([b"".join(before) + pieces[0], *pieces[1:], LAST], dice.random() < 0.3)


def _outer_request(dice: Random, inner: bytes, token: str) -> tuple[bytes, bytes]:
    method, _, path = dice.choice(LINES).partition(" ")
    framing, body = _frame_body(dice, inner)
    headers = [f"content-type: {dice.choice(KINDS)}", *dice.choice(UPGRADES), *framing]
    headers += dice.choice([[], [], ["expect: 100-continue"]])
    headers += dice.choice([[], [f"authorization: Bearer {token}"], ["authorization: Bearer nonsense"]])
    dice.shuffle(headers)
    return request(method, path, *headers, version=dice.choice(["1.1", "1.1", "1.1", "1.0"])), body


def _frame_body(dice: Random, inner: bytes) -> tuple[list[str], bytes]:
    chunked, whole = "transfer-encoding: chunked", b"%x\r\n%b\r\n0\r\n" % (len(inner), inner)
    match dice.choice(FRAMINGS):
        case "chunked":
            return [chunked], whole + b"\r\n"
        case "crumbs":
            size = 1 + len(inner) // 7
            parts = [inner[at : at + size] for at in range(0, len(inner), size)]
            return [chunked], b"".join(b"%X\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        case "extended":
            return [chunked], b'%x;a="b;c"\r\n%b\r\n0;d\r\n\r\n' % (len(inner), inner)
        case "trailers":
            return [chunked, "trailer: content-length"], whole + b"content-length: 5\r\nupgrade: h2c\r\n\r\n"
        case "both":
            return [chunked, f"content-length: {len(inner) + 5}"], b"0\r\n\r\n" + inner
        case "two sizes":
            return [f"content-length: {len(inner)}", "content-length: 0"], inner
        case "odd chunk":
            return [chunked], dice.choice(NO_SIZES) + b"\r\n\r\n" + inner
        case _:
            return [f"content-length: {len(inner)}"], inner


class Route(NamedTuple):
    """A route to the gateway: direct, or through a proxy."""

    name: str
    port: int
    trust: ssl.SSLContext | None = None


def routes(server: Server, folder: Path, held: ExitStack) -> list[Route]:
    """The direct route, and one through each installed proxy."""
    found = [Route("direct", server.port)]
    if nginx.reason_to_skip() is None:
        port = held.enter_context(nginx.run_nginx(server, folder))
        found.append(Route("nginx", port, ssl.create_default_context(cafile=str(folder / "gateway.crt"))))
    if balancer.reason_to_skip() is None:
        balanced = held.enter_context(balancer.run_balancer(folder, [server.port, free_port()]))
        balanced.wait_for_workers("gateway-a")
        found.append(Route("haproxy", balanced.port))
    return found


async def attack(server: Server, way: Route, seed: int, examples: int) -> list[str]:
    """Run the cases, and return the names of the images that hidden requests have registered."""
    token = server.token(str(7_000_000 + seed))
    found = islice(cases(seed, way.name, token), examples)
    while batch := list(islice(found, AT_ONCE)):
        await asyncio.gather(*(_run_case(way, case) for case in batch))
    nodes = server.data("{ images(first: 100) { nodes { name } } }", token)["images"]["nodes"]
    return [node["name"] for node in nodes if node["name"].startswith(way.name)]


async def _run_case(way: Route, case: SmugglingCase) -> None:
    async with open_connection(way.port, way.trust) as client:
        if case.waits:
            await client.send(case.pieces[0])
            await _read_briefly(client)
            await client.send(*case.pieces[1:])
        else:
            await client.send(*case.pieces)
        # A socket or an unfinished body keeps the connection open; any hidden request has run by then.
        await client.read_for(1)


async def _read_briefly(client: RawConnection) -> None:
    try:
        async with asyncio.timeout(0.05):
            await client.reader.read(1)
    except (TimeoutError, ConnectionError):
        pass


def main(
    examples: Annotated[int, typer.Option(help="Cases on each route to the gateway.")] = 3_000,
    seed: Annotated[int, typer.Option(help="Seed of the random generator.")] = 1,
) -> None:
    """Hide a request in the body of another, in every framing. Exits with the verdict."""
    with TemporaryDirectory(prefix="framings-") as place, ExitStack() as held:
        (folder := Path(place)).chmod(0o755)
        server = held.enter_context(run_server(folder, max_body_bytes=20_000, request_seconds=1))
        roads = routes(server, folder, held)
        ran = [name for way in roads for name in asyncio.run(attack(server, way, seed, examples))]
    report_and_exit(
        {way.name: examples for way in roads}, [f"a hidden request was carried out: {name}" for name in ran]
    )


if __name__ == "__main__":
    typer.run(main)
