"""Finds log lines of a server by their fields."""

import json
from typing import Any

from tests.harness.server import Server
from tests.harness.waiting import wait_until


def find_lines(server: Server, **fields: Any) -> list[dict[str, Any]]:
    """The log lines that have these fields."""
    logged: list[dict[str, Any]] = [json.loads(line) for line in server.log.splitlines()]
    return [line for line in logged if fields.items() <= line.items()]


async def wait_for_line(server: Server, **fields: Any) -> dict[str, Any]:
    """Wait for a line with these fields, which must be the only one, and return it."""
    await wait_until(lambda: bool(find_lines(server, **fields)), 20)
    [found] = find_lines(server, **fields)
    return found
