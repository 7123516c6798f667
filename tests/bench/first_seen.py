"""What the clock tells of documents: one that another tenant has sent before beside one that nobody has sent."""

from functools import partial
from itertools import count

from tests.bench.timed import Connection, interleaved
from tests.bench.workloads import Ask, Tokens

# Fields that are enough for the reading of a document to take its time.
FIELDS = " ".join(f"f{number}: sentOffers(first: {number}) {{ totalCount }}" for number in range(1, 11))
SENT_BEFORE = ("by nobody", "by another", "by myself")


def measured(connection: Connection, tokens: Tokens, tenants: list[str], rounds: int) -> dict[str, float]:
    """The median microseconds of one tenant's request, by who has sent its document before."""
    mine, anothers = (tokens.of(tenant) for tenant in tenants)
    senders, numbers = ([], [anothers], [mine]), count(100_000)
    cases = {
        name: partial(_time, connection, mine, before, numbers)
        for name, before in zip(SENT_BEFORE, senders, strict=True)
    }
    interleaved(cases, max(1, rounds // 10))  # warms up
    return interleaved(cases, rounds)


def _time(connection: Connection, token: str, senders: list[str], numbers: "count[int]", _: int) -> float:
    """The time of a document that these have sent before."""
    query = f"query Q{next(numbers)} {{ {FIELDS} }}"
    for sender in senders:
        connection.send(Ask(sender, query, {}).raw())
    return connection.send(Ask(token, query, {}).raw())[0]
