"""Measures whether response times distinguish hidden images from nonexistent ones.

A query names 29 images of one kind, so that a small difference adds up; a mutation names one. The kinds alternate
on one connection, request by request, so that noise affects all of them equally.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID

from tests.bench import first_seen, on_postgres, seed, servers, timed
from tests.bench.queries import ACCEPT, OFFER
from tests.bench.seed import LARGE, Sizes, World
from tests.bench.servers import LOAD_CORE, Running
from tests.bench.timed import TimedConnection
from tests.bench.workloads import BenchRequest, Tokens
from tests.harness.kernel import pin_to_core
from tests.harness.operations import MUTATIONS

NAMED = 29
VISIBILITY = seed.IMAGE_COLUMNS.index("visibility")
HEAD = f"query({', '.join(f'$i{number}: ID!' for number in range(NAMED))})"
Say = Callable[[str], None]
# Medians by engine, operation and kind.
Found = dict[str, dict[str, dict[str, float]]]
Variables = Callable[[list[str], int], dict[str, Any]]


class Operation(NamedTuple):
    query: str
    variables: Variables


def _operation_on(field: str) -> Operation:
    fields = " ".join(f"a{number}: {field}(id: $i{number}) {{ id }}" for number in range(NAMED))
    return Operation(f"{HEAD} {{ {fields} }}", lambda ids, _: {f"i{number}": id for number, id in enumerate(ids)})


OPERATIONS = {
    "image": _operation_on("image"),
    "node": _operation_on("node"),
    "nodes": Operation("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", lambda ids, _: {"ids": ids}),
    "acceptOffer": Operation(ACCEPT, lambda ids, turn: {"input": {"imageId": ids[turn % NAMED]}}),
}


class UnseenImages(NamedTuple):
    """A world, the calling tenant, and images of each kind."""

    world: World
    viewer: str
    tokens: Tokens
    images: dict[str, list[str]]
    owners: dict[str, str]


async def compare(rounds: int, say: Say, sizes: Sizes = LARGE) -> Found:
    """Print the medians of every kind of image, and of documents sent before, on both engines."""
    scene, found = _scene(sizes), Found()
    with TemporaryDirectory(prefix="gateway-bench-") as name, pin_to_core(LOAD_CORE):
        for engine, started in (("SQLite", _on_sqlite), ("PostgreSQL", _on_postgres)):
            folder = Path(name) / engine
            folder.mkdir()
            with ExitStack() as held:
                # Migrations run an event loop of their own.
                running = await asyncio.to_thread(held.enter_context, started(folder, scene.world))
                connection = held.enter_context(closing(TimedConnection(running.port)))
                _revoke(scene, connection)
                found[engine] = await asyncio.to_thread(_measure, scene, connection, rounds)
            for line in _table(engine, found[engine]):
                say(line)
    return found


def _scene(sizes: Sizes) -> UnseenImages:
    world = seed.world(sizes)
    viewer = world.heavy[0]
    offered = {row[1] for row in world.members if row[2] == viewer}
    owners = {row[0]: row[1] for row in world.images if row[VISIBILITY] == "SHARED"}
    foreign = [image for image, owner in owners.items() if owner != viewer and image not in offered]
    private, shared, revoked = (foreign[start : start + NAMED] for start in (0, NAMED, 2 * NAMED))
    hidden = set(private)
    world.images = [
        (*row[:VISIBILITY], "PRIVATE", *row[VISIBILITY + 1 :]) if row[0] in hidden else row for row in world.images
    ]
    unknown = [str(UUID(int=UUID(image).int ^ 1)) for image in foreign[3 * NAMED : 4 * NAMED]]
    images = {"unknown": unknown, "private": private, "shared to others": shared, "revoked": revoked}
    return UnseenImages(world, viewer, Tokens(), images, owners)


def _revoke(scene: UnseenImages, connection: TimedConnection) -> None:
    """Offer the images to the viewer, and revoke the offers."""
    for image in scene.images["revoked"]:
        owner, viewer = scene.tokens.of(scene.owners[image]), scene.tokens.of(scene.viewer)
        revoked = {"input": {"imageId": image, "tenantId": scene.viewer}}
        for ask in (
            BenchRequest(owner, OFFER, {"input": {"imageId": image, "tenantIds": [scene.viewer]}}),
            BenchRequest(viewer, ACCEPT, {"input": {"imageId": image}}),
            BenchRequest(owner, MUTATIONS["revokeMember"], revoked),
        ):
            _, answer = connection.send(ask.raw())
            assert [payload["errors"] for payload in answer["data"].values()] == [[]], answer


def _measure(scene: UnseenImages, connection: TimedConnection, rounds: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, operation in OPERATIONS.items():
        token = scene.tokens.of(scene.viewer)
        requests = {
            why: [BenchRequest(token, operation.query, operation.variables(ids, turn)).raw() for turn in range(NAMED)]
            for why, ids in scene.images.items()
        }
        answers = {why: connection.send(made[0])[1] for why, made in requests.items()}
        assert all(answer == answers["unknown"] for answer in answers.values()), answers
        cases = {why: partial(_time, connection, made) for why, made in requests.items()}
        timed.median_times(cases, max(1, rounds // 10))  # warms up
        found[name] = timed.median_times(cases, rounds)
    found["first seen"] = first_seen.measure(connection, scene.tokens, scene.world.heavy[:2], max(1, rounds // 5))
    return found


def _time(connection: TimedConnection, requests: list[bytes], turn: int) -> float:
    return connection.send(requests[turn % NAMED])[0]


def _table(engine: str, found: dict[str, dict[str, float]]) -> Generator[str]:
    yield f"\n{engine}: median microseconds of a request (so many times the first)"
    yield timed.head("", found["image"])
    for name in OPERATIONS:
        yield timed.row(name, found[name])
    yield timed.head("", found["first seen"])
    yield timed.row("first seen", found["first seen"])


@contextmanager
def _on_sqlite(folder: Path, world: World) -> Generator[Running]:
    asyncio.run(seed.write_sqlite(folder / "gateway.db", world))
    with servers.run_gateway(folder) as running:
        yield running


@contextmanager
def _on_postgres(folder: Path, world: World) -> Generator[Running]:
    with on_postgres.load(world) as database, servers.run_gateway(folder, database.url) as running:
        yield running
