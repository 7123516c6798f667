"""Queries that are generated before the store exists, and the values of the store that fill them in."""

import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass
class Pool:
    """Values that exist in a store. A query is generated before the store exists, and filled in later."""

    ids: list[str]
    tenants: list[str]
    names: list[str]
    cursors: list[str]
    log_cursors: list[str]

    def value(self, kind: str, number: int) -> str:
        values: list[str] = getattr(self, kind)
        return values[number % len(values)]


@dataclass
class Query:
    """The text of an operation and its variables, with placeholders for values of a pool."""

    text: str
    variables: dict[str, Any]

    def fill(self, pool: Pool) -> "Query":
        text = PLACEHOLDER.sub(lambda found: json.dumps(pool.value(found[1], int(found[2]))), self.text)
        return Query(text, _fill(self.variables, pool))


PLACEHOLDER = re.compile(r'"@(\w+)-(\d+)"')


def _fill(value: Any, pool: Pool) -> Any:
    if isinstance(value, dict):
        return {key: _fill(one, pool) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, pool) for one in value]
    found = PLACEHOLDER.fullmatch(f'"{value}"')
    return pool.value(found[1], int(found[2])) if found else value
