"""The short form of `python -m tests.bench watch`: it runs, and says what it found. It asserts no time."""

import pytest

from tests.bench.watch import compare

pytestmark = pytest.mark.slow


async def test_the_benchmark_of_the_watch_compares_the_gateway_with_stock_strawberry() -> None:
    said: list[str] = []

    await compare([40], 1, said.append)

    assert len(said) == 5, said
    assert any("ratio: " in line for line in said)
