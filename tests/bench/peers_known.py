"""The peers on SQLite, and whether they can run here."""

from collections.abc import Callable, Iterator

from tests.bench import runtime
from tests.bench.servers import OURS, WORKLOADS, Peer, python_peer, run_gateway, run_process

PACKAGE = "tests.bench.peers"


def available_peers(wanted: Callable[[str], bool], say: Callable[[str], None]) -> Iterator[Peer]:
    """The gateway, and those of the selected peers on SQLite that can run here."""
    yield Peer(OURS, WORKLOADS, run_gateway)
    for peer in (
        Peer("hand-written", ("point", "list", "inbox"), python_peer(f"{PACKAGE}.handwritten")),
        Peer("Strawberry", WORKLOADS, python_peer(f"{PACKAGE}.strawberry_as_it_comes")),
        Peer("Ariadne", WORKLOADS, python_peer(f"{PACKAGE}.ariadne_as_it_comes")),
    ):
        if wanted(peer.name):
            yield peer
    in_node = [name for name in ("mercurius", "yoga") if wanted(name)]
    if not in_node:
        return
    if isinstance(node := runtime.prepare(runtime.PEERS), str):
        say(f"Left out are {', '.join(in_node)}: {node}.")
        return
    for name in in_node:
        program = str(runtime.PEERS / f"{name}.mjs")
        yield Peer(name, WORKLOADS, lambda folder, program=program: run_process(folder, node.program, program))
