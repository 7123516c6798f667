"""Measures whether response times reveal that another tenant has sent a document before."""

from functools import partial
from itertools import count

from tests.bench.timed import Connection, median_times
from tests.bench.workloads import BenchRequest, Tokens

# Enough fields to make parsing and validation measurable.
FIELDS = " ".join(f"f{number}: sentOffers(first: {number}) {{ totalCount }}" for number in range(1, 11))
SENT_BEFORE = ("by nobody", "by another", "by myself")


def measure(connection: Connection, tokens: Tokens, tenants: list[str], rounds: int) -> dict[str, float]:
    """The median microseconds of a request, by who has sent its document before."""
    mine, anothers = (tokens.of(tenant) for tenant in tenants)
    senders, numbers = ([], [anothers], [mine]), count(100_000)
    cases = {
        name: partial(_time, connection, mine, before, numbers)
        for name, before in zip(SENT_BEFORE, senders, strict=True)
    }
    median_times(cases, max(1, rounds // 10))  # warms up
    return median_times(cases, rounds)


def _time(connection: Connection, token: str, senders: list[str], numbers: "count[int]", _: int) -> float:
    """The microseconds of a request whose document these senders have sent before."""
    query = f"query Q{next(numbers)} {{ {FIELDS} }}"
    for sender in senders:
        connection.send(BenchRequest(sender, query, {}).raw())
    return connection.send(BenchRequest(token, query, {}).raw())[0]
