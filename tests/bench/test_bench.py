"""The short forms of `python -m tests.bench`, without assertions about times."""

import pytest

from tests.bench import compare, first_seen, runtime, unseen, watch
from tests.bench.compare import CompareOptions
from tests.bench.equality import ResponsesDiffer, require_same
from tests.bench.seed import SMALL, world
from tests.bench.servers import OURS
from tests.bench.workloads import workloads

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("new_interpreters")]
EMBEDDED = ("point", "list", "inbox", "deep", "offers", "first")


async def test_the_benchmark_of_the_watch_compares_the_gateway_with_stock_strawberry() -> None:
    said: list[str] = []

    await watch.compare([40], 1, said.append)

    assert len(said) == 5, said
    assert any("ratio: " in line for line in said)


async def test_the_gateway_responds_like_a_hand_written_route_and_stock_strawberry() -> None:
    found, said = await _compared("hand-written", "Strawberry")

    assert {name: [*figures] for name, figures in found.items()} == {
        **{name: [OURS, "hand-written", "Strawberry"] for name in ("point", "list", "inbox")},
        **{name: [OURS, "Strawberry"] for name in ("deep", "offers", "first")},
    }
    assert sum("times hand-written" in line or "times Strawberry" in line for line in said) == 4, said


async def test_the_gateway_responds_like_mercurius() -> None:
    if isinstance(reason := runtime.prepare(runtime.PEERS), str):
        pytest.skip(reason)  # where CI has installed Node, a skip is a failure

    found, said = await _compared("mercurius")

    assert {name: [*figures] for name, figures in found.items()} == {name: [OURS, "mercurius"] for name in EMBEDDED}
    assert sum("times mercurius" in line for line in said) == 4, said


def test_servers_whose_responses_differ_are_not_measured() -> None:
    workload = workloads(world(SMALL))["point"]
    ours, theirs = [{"data": {"image": {"name": "one"}}}], [{"data": {"image": {"name": "other"}}}]

    with pytest.raises(ResponsesDiffer, match=r"a peer responds to request 0 of 'point' .*: response.data.image.name"):
        require_same(workload, "a peer", theirs, ours)


async def test_the_benchmark_of_unseen_images_compares_every_kind_on_both_engines() -> None:
    said: list[str] = []

    found = await unseen.compare(2, said.append, SMALL)

    reasons, senders = ["unknown", "private", "shared to others", "revoked"], [*first_seen.SENT_BEFORE]
    operations = dict.fromkeys(("image", "node", "nodes", "acceptOffer"), reasons)
    expected = {**operations, "first seen": senders}
    assert {engine: {name: [*row] for name, row in rows.items()} for engine, rows in found.items()} == {
        "SQLite": expected,
        "PostgreSQL": expected,
    }
    assert sum(line.startswith(("image", "node", "acceptOffer", "first seen")) for line in said) == 10, said


async def _compared(*peers: str) -> tuple[compare.Found, list[str]]:
    said: list[str] = []
    options = CompareOptions(rounds=1, seconds=0.2, only=EMBEDDED, peers=peers, sizes=SMALL)
    return await compare.compare(options, said.append), said
