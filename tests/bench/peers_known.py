"""Which peers there are, and which of them can run here."""

from collections.abc import Callable, Iterator

from tests.bench import runtime
from tests.bench.servers import OURS, WORKLOADS, Peer, in_python, ours, process

PACKAGE = "tests.bench.peers"


def known(wanted: Callable[[str], bool], say: Callable[[str], None]) -> Iterator[Peer]:
    """The gateway, which is always there, and those of its peers on SQLite that are wanted."""
    yield Peer(OURS, WORKLOADS, ours)
    for peer in (
        Peer("hand-written", ("point", "list", "inbox"), in_python(f"{PACKAGE}.handwritten")),
        Peer("Strawberry", WORKLOADS, in_python(f"{PACKAGE}.strawberry_as_it_comes")),
        Peer("Ariadne", WORKLOADS, in_python(f"{PACKAGE}.ariadne_as_it_comes")),
    ):
        if wanted(peer.name):
            yield peer
    in_node = [name for name in ("mercurius", "yoga") if wanted(name)]
    if not in_node:
        return
    if isinstance(node := runtime.ready(runtime.PEERS), str):
        say(f"Left out are {', '.join(in_node)}: {node}.")
        return
    for name in in_node:
        program = str(runtime.PEERS / f"{name}.mjs")
        yield Peer(name, WORKLOADS, lambda folder, program=program: process(folder, node.program, program))
