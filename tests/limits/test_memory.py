"""Caches of prices use limited memory, whatever the text, the name and the variables of an operation."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.schema import build_schema
from app.documents.bounded_cache import BoundedCache
from app.documents.price import REFUSED, Prices
from app.settings import Settings

LIMIT = 32_000_000
SMALL = "{ viewer { id } }"


@pytest.fixture
def growth() -> Iterator[Any]:
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    yield lambda: tracemalloc.get_traced_memory()[0] - began
    tracemalloc.stop()


def _prices() -> Prices:
    documents = build_schema(Settings()).documents
    documents.cache = BoundedCache(LIMIT)
    return Prices(documents)


@pytest.mark.parametrize("as_name", [False, True], ids=["text", "name"])
def test_pricing_does_not_keep_long_texts_in_memory(growth: Any, as_name: bool) -> None:
    prices = _prices()
    for number in range(60):
        long = f"\N{WRENCH}{number}" + "x" * 500_000
        text, name = (SMALL, long) if as_name else (long, None)
        assert prices.of(text, name, None).cost == REFUSED

    assert growth() < 2 * LIMIT, "it would be 120 MB"


def test_pricing_does_not_keep_the_names_in_an_input_in_memory(growth: Any) -> None:
    prices = _prices()
    offer = "mutation($o: OfferImageInput!) { offerImage(input: $o) { clientMutationId } }"
    for number in range(60):
        prices.of(offer, None, {"o": {f"\N{WRENCH}{number}" + "x" * 250_000: []}})

    assert growth() < LIMIT, "it would be 60 MB"
