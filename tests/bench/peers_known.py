"""Which peers there are, and which of them can run here."""

from collections.abc import Callable, Iterator

from tests.bench import runtime
from tests.bench.servers import OURS, READS, WORKLOADS, Peer, in_python, ours, process


def known(wanted: Callable[[str], bool], say: Callable[[str], None]) -> Iterator[Peer]:
    """The gateway, which is always there, and those of its peers on SQLite that are wanted."""
    yield Peer(OURS, WORKLOADS, ours)
    for peer in (
        Peer("hand-written", ("point", "list", "inbox"), in_python("handwritten")),
        Peer("Strawberry", WORKLOADS, in_python("strawberry_as_it_comes")),
        Peer("Ariadne", WORKLOADS, in_python("ariadne_as_it_comes")),
    ):
        if wanted(peer.name):
            yield peer
    in_node = [name for name in ("mercurius", "yoga") if wanted(name)]
    if not in_node:
        return
    node = runtime.find()
    if node is None or (reason := runtime.reason_to_leave_out(node)) is not None:
        say(f"Left out are {', '.join(in_node)}: {'there is no Node' if node is None else reason}.")
        return
    for name in in_node:
        program = str(runtime.FOLDER / f"{name}.mjs")
        yield Peer(name, WORKLOADS, lambda folder, program=program: process(folder, node.program, program))
