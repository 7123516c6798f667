"""Third-party clients: the audits of GraphQL over HTTP, and graphql-ws."""

import json
from typing import Any

import pytest

from tests.harness.node import Run
from tests.harness.scenario import fresh_id
from tests.harness.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.engine("postgres")]


@pytest.fixture(scope="module")
def handshake_items(node: Run, server: Server) -> Any:
    """What both sides of a handshake received, as printed by handshake.mjs."""
    producer, consumer = ({"id": tenant, "token": server.token(tenant)} for tenant in (fresh_id(), fresh_id()))
    ended = node("handshake.mjs", json.dumps({"url": server.ws_url, "producer": producer, "consumer": consumer}))
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def steps(items: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    return [(item["kind"], item["previousStatus"], item["status"]) for item in items]


def test_every_audit_of_graphql_over_http_passes(node: Run, server: Server) -> None:
    ended = node("audit.mjs", server.url)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout == "61 of 61 audits passed\n"


@pytest.mark.parametrize("side", ["producer", "consumer"])
def test_with_graphql_ws_each_side_of_a_handshake_receives_both_changes_in_order(
    handshake_items: Any, side: str
) -> None:
    assert steps(handshake_items[side]) == [("OFFERED", None, "PENDING"), ("ANSWERED", "PENDING", "ACCEPTED")]
    assert {item["imageId"] for item in handshake_items[side]} == {handshake_items["imageId"]}


def test_with_graphql_ws_a_query_reads_what_a_mutation_changed(handshake_items: Any) -> None:
    assert handshake_items["accepted"] == [handshake_items["imageId"]]


def test_with_graphql_ws_a_disconnected_client_resumes_after_its_cursor(handshake_items: Any) -> None:
    assert steps(handshake_items["resumed"]) == [
        ("ANSWERED", "ACCEPTED", "REJECTED"),
        ("ANSWERED", "REJECTED", "ACCEPTED"),
        ("ANSWERED", "ACCEPTED", "REJECTED"),
    ]


def test_with_graphql_ws_no_change_is_received_twice(handshake_items: Any) -> None:
    cursors = [item["cursor"] for item in handshake_items["consumer"] + handshake_items["resumed"]]
    assert len(set(cursors)) == len(cursors) == 5
