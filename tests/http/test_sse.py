"""GraphQL over server-sent events: one operation per connection, and cursors as event IDs."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import AsyncMock

import httpx2
import pytest

from app.errors import Unavailable
from tests.harness.databases import Databases
from tests.harness.gateway import settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.operations import WATCH
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer

pytestmark = pytest.mark.slow
EVENTS = "text/event-stream"


@contextmanager
def stream(server: Server, query: str, token: str | None, last: str | None = None, **variables: Any) -> Generator[Any]:
    headers = {"accept": EVENTS, **bearer(token), **({"last-event-id": last} if last else {})}
    body = {"query": query, "variables": variables}
    with server.client.stream("POST", "/graphql", json=body, headers=headers) as response:
        yield response


def events(response: httpx2.Response) -> Generator[dict[str, str]]:
    """The events as they arrive, without comments."""
    event: dict[str, str] = {}
    for line in response.iter_lines():
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = value.strip()


def test_a_query_sends_one_event_and_completes(server: Server) -> None:
    with stream(server, "{ viewer { id } }", server.token("5")) as response:
        assert response.headers["content-type"].startswith(EVENTS)
        answer, end = events(response)

    assert (answer["event"], json.loads(answer["data"])) == ("next", {"data": {"viewer": {"id": "5"}}})
    assert end == {"event": "complete", "data": ""}


def test_a_watch_sends_each_change_with_its_cursor_and_resumes_after_it(server: Server) -> None:
    owner = server.token(fresh_id())
    image = server.register(owner)
    with stream(server, WATCH, owner, after=None) as response:
        stream_events = events(response)
        first = next(stream_events)
        server.do("offerImage", owner, imageId=image, tenantIds=["10", "11"])
        ten, eleven = next(stream_events), next(stream_events)
    with stream(server, WATCH, owner, last=ten["id"], after=first["id"]) as response:
        again = next(events(response))

    items = [json.loads(event["data"])["data"]["watchOffers"] for event in (first, ten, eleven)]
    assert [item["__typename"] for item in items] == ["WatchBookmark", "MemberStatusChanged", "MemberStatusChanged"]
    assert [event["id"] for event in (first, ten, eleven)] == [item["cursor"] for item in items]
    assert again["id"] == eleven["id"]


@pytest.mark.parametrize("query", ["subscription { watchOffers { nonsense } }", "{", "{ nonsense }"])
def test_an_operation_that_cannot_be_executed_sends_its_errors_and_completes(server: Server, query: str) -> None:
    with stream(server, query, server.token("5")) as response:
        answer, end = events(response)

    assert json.loads(answer["data"])["errors"][0]["extensions"]["code"].startswith("GRAPHQL_")
    assert end["event"] == "complete"


def test_nobody_watches_without_a_token(server: Server) -> None:
    with stream(server, WATCH, None) as response:
        [error] = json.loads(next(events(response))["data"])["errors"]

    assert error["extensions"]["code"] == "UNAUTHENTICATED"


def test_an_invalid_token_is_the_last_event_and_an_expired_one_a_status(server: Server) -> None:
    with stream(server, WATCH, "nonsense") as response:
        error, end = events(response)
    with stream(server, WATCH, server.token("5", ttl=-5)) as expired:
        assert expired.status_code == 401

    assert json.loads(error["data"])["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert end["event"] == "complete"


def test_a_watch_ends_with_its_token_and_without_complete(server: Server) -> None:
    with stream(server, WATCH, server.token(fresh_id(), ttl=1)) as response:
        kinds = [event["event"] for event in events(response)]

    assert "complete" not in kinds


MUTATION = 'mutation { deleteImage(input: {id: "1"}) { deletedImageId } }'
UNFIT: dict[str, tuple[str, dict[str, Any]]] = {
    "a mutation by GET": ("GET", {"params": {"query": MUTATION}}),
    "no document": ("POST", {"json": {}}),
    "no such operation": ("POST", {"json": {"query": "query A { __typename }", "operationName": "B"}}),
    "no JSON": ("POST", {"content": "{", "headers": {"content-type": "application/json"}}),
    "variables that are not JSON": ("GET", {"params": {"query": "{ __typename }", "variables": "{"}}),
    "another content type": ("POST", {"content": "{ __typename }", "headers": {"content-type": "text/plain"}}),
    "a body that is too large": ("POST", {"json": {"query": " " * 30_000}}),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_request_that_will_never_succeed_is_the_last_event_since_clients_reconnect_after_a_status(
    server: Server, name: str
) -> None:
    method, sent = UNFIT[name]
    headers = {**sent.pop("headers", {}), "accept": EVENTS, **bearer(server.token("5"))}
    with server.client.stream(method, "/graphql", headers=headers, **sent) as response:
        error, end = events(response)

    assert (response.status_code, response.headers["content-type"]) == (200, f"{EVENTS}; charset=utf-8")
    assert json.loads(error["data"])["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert end["event"] == "complete"


def test_a_method_that_graphql_does_not_have_is_405_whatever_the_client_accepts(server: Server) -> None:
    refused = server.client.put("/graphql", headers={"accept": EVENTS})

    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


BOTH = [
    "text/event-stream, application/json",
    "application/graphql-response+json, text/event-stream, multipart/mixed",
    "*/*, text/event-stream",
    "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8, Text/Event-Stream; a=b",
    "text/event-stream;q=0.1, application/json",
    "text/event-stream, application/json;q=0.5",
]
WATCH_ALONE = "subscription { watchOffers { __typename } }"
TWO_OPERATIONS = "query Ask { viewer { id } } subscription Watch { watchOffers { __typename } }"


@pytest.mark.parametrize("accept", BOTH)
def test_a_query_of_a_client_that_accepts_both_gets_json(server: Server, accept: str) -> None:
    assert server.post("{ viewer { id } }", server.token("5"), accept=accept).json() == {
        "data": {"viewer": {"id": "5"}}
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("accept", BOTH)
def test_a_watch_of_a_client_that_accepts_both_gets_events(server: Server, accept: str, method: str) -> None:
    asking: dict[str, Any] = {"query": WATCH_ALONE}
    sent: dict[str, Any] = {"json": asking} if method == "POST" else {"params": asking}
    headers = {"accept": accept, **bearer(server.token(fresh_id()))}
    with server.client.stream(method, "/graphql", headers=headers, **sent) as response:
        assert response.headers["content-type"].startswith(EVENTS)
        assert next(events(response))["event"] == "next"


def test_several_accept_headers_are_one_list(server: Server) -> None:
    headers = [("accept", "application/json"), ("accept", EVENTS), *bearer(server.token(fresh_id())).items()]
    with server.client.stream("POST", "/graphql", json={"query": WATCH_ALONE}, headers=headers) as response:
        assert response.headers["content-type"].startswith(EVENTS)


def test_in_a_document_with_both_the_selected_operation_decides(server: Server) -> None:
    headers = {"accept": BOTH[0], **bearer(server.token(fresh_id()))}
    ask, watch = ({"query": TWO_OPERATIONS, "operationName": name} for name in ("Ask", "Watch"))
    assert "data" in server.client.post("/graphql", json=ask, headers=headers).json()

    with server.client.stream("POST", "/graphql", json=watch, headers=headers) as response:
        assert next(events(response))["event"] == "next"


async def test_a_watch_during_an_outage_gets_a_status(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_in_process(settings_for(databases.fresh())) as running:
        monkeypatch.setattr(running.services.feed, "head", AsyncMock(side_effect=Unavailable("It is away.")))
        headers = {"accept": EVENTS, **bearer(running.token)}
        async with httpx2.AsyncClient(trust_env=False, headers=headers) as client:
            answer = await client.post(running.url.replace("ws", "http", 1), json={"query": WATCH_ALONE})

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


@pytest.mark.parametrize(
    "accept", ["application/json, text/event-stream;q=0", "application/json", "*/*", "application/json, text/*;q=0.5"]
)
def test_a_watch_of_a_client_that_does_not_accept_events_is_referred_to_other_transports(
    server: Server, accept: str
) -> None:
    answer = server.post(WATCH_ALONE, server.token("5"), accept=accept)

    assert answer.status_code == 400
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


def test_json_with_a_quality_of_zero_is_not_accepted(server: Server) -> None:
    accept = "text/event-stream, application/json;q=0"
    answer = server.post("{ viewer { id } }", server.token("5"), accept=accept)

    assert answer.headers["content-type"].startswith(EVENTS)
