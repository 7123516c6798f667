"""What a server has logged, line by line."""

import json
from typing import Any

from tests.harness.patience import until
from tests.harness.server import Server


def lines(server: Server, **wanted: Any) -> list[dict[str, Any]]:
    """The lines that have these fields."""
    told: list[dict[str, Any]] = [json.loads(line) for line in server.log.splitlines()]
    return [line for line in told if wanted.items() <= line.items()]


async def line(server: Server, **wanted: Any) -> dict[str, Any]:
    """The only line with these fields, as soon as it is there."""
    await until(lambda: bool(lines(server, **wanted)), 20)
    [found] = lines(server, **wanted)
    return found
