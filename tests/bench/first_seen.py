"""Measures whether response times reveal that another tenant has sent a document before."""

from functools import partial
from itertools import count

from tests.bench.timed import TimedConnection, median_times
from tests.bench.workloads import BenchRequest, Tokens

# Enough fields to make parsing and validation measurable.
FIELDS = " ".join(f"f{number}: sentOffers(first: {number}) {{ totalCount }}" for number in range(1, 11))
SENT_BEFORE = ("by nobody", "by another", "by myself")


def measure(connection: TimedConnection, tokens: Tokens, tenants: list[str], rounds: int) -> dict[str, float]:
    """The median microseconds of a request, by who has sent its document before."""
    mine, anothers = (tokens.of(tenant) for tenant in tenants)
    numbers = count(100_000)
    senders = ((anothers, True), (anothers, False), (mine, False))
    cases = {
        name: partial(_time, connection, mine, sender, is_other, numbers)
        for name, (sender, is_other) in zip(SENT_BEFORE, senders, strict=True)
    }
    median_times(cases, max(1, rounds // 10))  # warms up
    return median_times(cases, rounds)


def _time(connection: TimedConnection, token: str, sender: str, is_other: bool, numbers: "count[int]", _: int) -> float:
    """The microseconds of a request after the sender has sent its document, or another one of the same size.

    A document is sent in each case, since a server that has just compiled one compiles the next a little faster.
    """
    query = f"query Q{next(numbers)} {{ {FIELDS} }}"
    before = f"query Q{next(numbers)} {{ {FIELDS} }}" if is_other else query
    connection.send(BenchRequest(sender, before, {}).raw())
    return connection.send(BenchRequest(token, query, {}).raw())[0]
