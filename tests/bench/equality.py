"""Before anything is timed, all servers have to answer the same."""

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
# What an offer and its acceptance leave behind, except IDs and times that are made at the moment.
LOG = """SELECT e.seq, e.kind, e.image_kind, e.previous_status, e.status, m.status, e.image_id, e.owner_id, e.tenant_id,
  e.actor_id, e.previous_image_status, e.image_status, e.previous_visibility, e.visibility,
  e.occurred_at IN (m.created_at, m.updated_at)
FROM event e LEFT JOIN member m ON m.id = e.member_id ORDER BY e.seq"""


class Different(Exception):
    """Two servers do not answer the same; what is measured would not be the same work."""


def answers(peer: Peer, running: Running, workload: Workload) -> list[Any]:
    """What a server says to the requests that are there for checking, one after the other."""
    url, found = f"http://127.0.0.1:{running.port}/graphql", list[Any]()
    with httpx2.Client(timeout=60) as client:
        for ask in map(peer.put, workload.checked):
            body = {"query": ask.query, "variables": ask.variables}
            response = client.post(url, json=body, headers={"authorization": f"Bearer {ask.token}"})
            if response.status_code != 200 or response.json().get("errors"):
                raise Different(f"{peer.name} to {workload.name}: {response.status_code} {response.text[:2000]}")
            told = peer.told(response.json())
            found.append(_without_new_ids(told) if workload.name == "offers" else told)
    return found


def require_same(workload: Workload, who: str, found: list[Any], expected: list[Any]) -> None:
    """Raises Different with the first place where the answers part."""
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one != other:
            place = _difference(one, other, "answer")
            raise Different(f"{who} answers request {number} of {workload.name!r} in another way than ours: {place}")


def require_substance(workload: Workload, found: list[Any]) -> None:
    """Equal answers are worth nothing when there is nothing in them."""
    least = {"point": 60, "list": 6_000, "inbox": 6_000, "deep": 3_000, "offers": 60, "first": 60}[
        workload.name.partition(" ")[0]
    ]
    for answer in found:
        if len(text := json.dumps(answer)) < least:
            raise Different(f"The answers to {workload.name!r} are smaller than they should be: {text}")


def require_same_log(who: str, file: Path, expected: Path) -> None:
    """What was written is the same, too."""
    found, wanted = _log_of(file), _log_of(expected)
    if found != wanted:
        raise Different(f"{who} has written another log than ours:\n{found}\n{wanted}")


def _log_of(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(LOG).fetchall()


def _without_new_ids(told: Any) -> Any:
    if isinstance(told, dict):
        return {
            key: "new" if key == "id" and UUID.match(str(value)) else _without_new_ids(value)
            for key, value in told.items()
        }
    return [_without_new_ids(one) for one in told] if isinstance(told, list) else told


def _difference(one: Any, other: Any, place: str) -> str:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(_difference(one[key], other[key], f"{place}.{key}") for key in one if one[key] != other[key])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(_difference(a, b, f"{place}[{at}]") for at, (a, b) in pairs if a != b)
    return f"{place} is {json.dumps(one)[:300]} and not {json.dumps(other)[:300]}"
