"""Checks that all servers return equal responses before they are measured."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2

from tests.bench.servers import Peer, Running
from tests.bench.workloads import Workload

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
# The log entries of an offer and its acceptance, without generated IDs and times.
LOG = """SELECT e.seq, e.kind, e.image_kind, e.previous_status, e.status, m.status, e.image_id, e.owner_id, e.tenant_id,
  e.actor_id, e.previous_image_status, e.image_status, e.previous_visibility, e.visibility,
  e.occurred_at IN (m.created_at, m.updated_at)
FROM event e LEFT JOIN member m ON m.id = e.member_id ORDER BY e.seq"""


class ResponsesDiffer(Exception):
    """Two servers return different responses, so that measuring them would compare different work."""


def responses(peer: Peer, running: Running, workload: Workload) -> list[Any]:
    """Send the requests for checking, one after the other, and return the responses."""
    url, found = f"http://127.0.0.1:{running.port}/graphql", list[Any]()
    with httpx2.Client(timeout=60) as client:
        for ask in map(peer.translate_request, workload.checked):
            body = {"query": ask.query, "variables": ask.variables}
            response = client.post(url, json=body, headers={"authorization": f"Bearer {ask.token}"})
            if response.status_code != 200 or response.json().get("errors"):
                raise ResponsesDiffer(f"{peer.name} to {workload.name}: {response.status_code} {response.text[:2000]}")
            translated = peer.translate_response(response.json())
            found.append(_without_new_ids(translated) if workload.name == "offers" else translated)
    return found


def require_same(workload: Workload, who: str, found: list[Any], expected: list[Any]) -> None:
    """Raises ResponsesDiffer with the first difference."""
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one != other:
            place = _difference(one, other, "response")
            raise ResponsesDiffer(
                f"{who} responds to request {number} of {workload.name!r} differently from the gateway: {place}"
            )


def require_substance(workload: Workload, found: list[Any]) -> None:
    """Raises ResponsesDiffer if responses are so small that their equality proves nothing."""
    least = {"point": 60, "list": 6_000, "inbox": 6_000, "deep": 3_000, "offers": 60, "first": 60}[
        workload.name.partition(" ")[0]
    ]
    for answer in found:
        if len(text := json.dumps(answer)) < least:
            raise ResponsesDiffer(f"The responses to {workload.name!r} are too small: {text}")


def require_same_log(who: str, file: Path, expected: Path) -> None:
    """Raises ResponsesDiffer if the logs of two servers differ."""
    found, expected_log = _log_of(file), _log_of(expected)
    if found != expected_log:
        raise ResponsesDiffer(f"{who} has written a different log:\n{found}\n{expected_log}")


def _log_of(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(LOG).fetchall()


def _without_new_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "new" if key == "id" and UUID.match(str(value)) else _without_new_ids(value)
            for key, value in value.items()
        }
    return [_without_new_ids(one) for one in value] if isinstance(value, list) else value


def _difference(one: Any, other: Any, place: str) -> str:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(_difference(one[key], other[key], f"{place}.{key}") for key in one if one[key] != other[key])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(_difference(a, b, f"{place}[{at}]") for at, (a, b) in pairs if a != b)
    return f"{place} is {json.dumps(one)[:300]} and not {json.dumps(other)[:300]}"
