"""The list on PostgreSQL: the gateway and PostGraphile, each with the CPU time of its database backends."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psycopg

from tests.bench import runtime
from tests.bench.peers.shown import coded, moment
from tests.bench.seed import World, write_postgres
from tests.bench.servers import OURS, SERVER_CORE, Peer, Running, run_gateway, run_process
from tests.bench.workloads import BenchRequest
from tests.harness.databases import postgres
from tests.harness.kernel import pin_to_core

NAME = "list on PostgreSQL"
PEER = "PostGraphile"
LIST = """query($first: Int!, $inner: Int!) { listedImages(first: $first) {
  edges { cursor node {
    rowId name status visibility createdAt updatedAt producer
    seenMembers(first: $inner) { edges { node { rowId status createdAt updatedAt tenantId } } }
  } }
  pageInfo { hasNextPage endCursor }
} }"""


class Loaded(NamedTuple):
    """A database that holds the world, and its server."""

    url: str
    postmaster: int

    @property
    def plain_url(self) -> str:
        return self.url.replace("+psycopg", "")


@contextmanager
def load(world: World) -> Generator[Loaded]:
    """Run a PostgreSQL that holds the world on the servers' core."""
    # A folder directly below /tmp, because the server may run as another user, who must reach it.
    with TemporaryDirectory(prefix="gateway-postgres-") as name, ExitStack() as held:
        folder = Path(name)
        with pin_to_core(SERVER_CORE):
            url = held.enter_context(postgres(folder)).fresh()
        write_postgres(url, world)
        yield Loaded(url, int((folder / "postmaster.pid").read_text().split()[0]))


def available_peers(database: Loaded, wanted: Callable[[str], bool], say: Callable[[str], None]) -> Iterator[Peer]:
    """The gateway, and PostGraphile if it can run here."""
    counted = (database.postmaster,)
    yield Peer(OURS, (NAME,), lambda folder: run_gateway(folder, database.url, counted))
    if not wanted(PEER):
        return
    if isinstance(node := runtime.prepare(runtime.POSTGRAPHILE), str):
        say(f"Left out is {PEER}: {node}.")
        return
    with psycopg.connect(database.plain_url) as connection:
        connection.execute((runtime.POSTGRAPHILE / "functions.sql").read_bytes())
    yield Peer(PEER, (NAME,), partial(_postgraphile, node.program, database), _translate_request, _translate_response)


@contextmanager
def _postgraphile(program: str, database: Loaded, folder: Path) -> Generator[Running]:
    surroundings = {**os.environ, "BENCH_POSTGRES": database.plain_url, "GRAPHILE_ENV": "production"}
    command = (program, str(runtime.POSTGRAPHILE / "server.mjs"))
    with run_process(folder, *command, surroundings=surroundings) as running:
        yield Running(running.port, (*running.pids, database.postmaster))


def _translate_request(ask: BenchRequest) -> BenchRequest:
    return ask._replace(query=LIST)


def _translate_response(answer: Any) -> Any:
    """Convert a response to the shape of the gateway's. Only the presence of cursors can be compared."""
    page = answer["data"]["listedImages"]
    edges = [_edge(edge["node"]) for edge in page["edges"] if edge["cursor"]]
    end = edges[-1]["cursor"] if edges and page["pageInfo"]["endCursor"] else None
    info = {"hasNextPage": page["pageInfo"]["hasNextPage"], "endCursor": end}
    return {"data": {"images": {"edges": edges, "pageInfo": info}}}


def _edge(image: dict[str, Any]) -> dict[str, Any]:
    made = datetime.fromisoformat(image["createdAt"])
    node = {
        "id": image["rowId"],
        "name": image["name"],
        "status": image["status"],
        "visibility": image["visibility"],
        **_times(image),
        "owner": None if image["producer"] is None else {"id": image["producer"]},
        "members": {"edges": [{"node": _member(edge["node"])} for edge in image["seenMembers"]["edges"]]},
    }
    return {"cursor": coded(made, image["rowId"]), "node": node}


def _member(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["rowId"], "status": row["status"], **_times(row), "tenant": {"id": row["tenantId"]}}


def _times(row: dict[str, Any]) -> dict[str, str]:
    return {name: moment(datetime.fromisoformat(row[name])) for name in ("createdAt", "updatedAt")}
