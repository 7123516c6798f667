"""Event streams that resume after `Last-Event-ID`, which EventSource sends when it reconnects."""

import json
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.harness import nginx
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, run_server
from tests.http.test_sse import EVENTS, events

pytestmark = pytest.mark.slow
FIELDS = "__typename cursor ... on MemberStatusChanged { tenant { id } } ... on WatchReset { reason }"
VARIABLE = f"subscription($after: Cursor) {{ watchOffers(after: $after) {{ {FIELDS} }} }}"
ALONE = f"subscription {{ watchOffers {{ {FIELDS} }} }}"
FRAGMENT = f"""subscription Live($from: Cursor) {{ ...Root }}
fragment Root on Subscription {{ mine: watchOffers(after: $from) {{ {FIELDS} }} }} query Other {{ __typename }}"""
WAYS: dict[str, dict[str, Any]] = {
    "the variable is null": {"query": VARIABLE, "variables": {"after": None}},
    "the variable has no value": {"query": VARIABLE, "variables": {}},
    "there are no variables": {"query": VARIABLE},
    "the variable has another name": {"query": VARIABLE.replace("$after", "$from"), "variables": {"from": None}},
    "the document does not say after": {"query": ALONE},
    "after is null in the document": {"query": ALONE.replace("Offers", "Offers(after: null)")},
    "the field stands in a fragment under an alias": {"query": FRAGMENT, "operationName": "Live"},
}


@contextmanager
def streamed(
    client: httpx2.Client,
    token: str,
    body: dict[str, Any],
    last: str | bytes | None = None,
    method: str = "POST",
    accept: str = EVENTS,
) -> Generator[Generator[dict[str, str]]]:
    headers: dict[str, Any] = {"accept": accept, **bearer(token)}
    if last is not None:
        headers["last-event-id"] = last
    received = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    sent: dict[str, Any] = {"json": body} if method == "POST" else {"params": received}
    with client.stream(method, "/graphql", headers=headers, **sent) as response:
        yield events(response)


def item(event: dict[str, str]) -> Any:
    payload = json.loads(event["data"])
    assert "errors" not in payload, payload
    [value] = payload["data"].values()
    assert event["id"] == value["cursor"]
    return value


def code(event: dict[str, str]) -> str:
    assert "id" not in event
    return json.loads(event["data"])["errors"][0]["extensions"]["code"]


def offer_image(server: Server, owner: str, consumer: str, image: str | None = None) -> str:
    image = image or server.register(owner)
    server.do("offerImage", owner, imageId=image, tenantIds=[consumer])
    return image


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("way", WAYS)
def test_a_watch_resumes_after_the_last_event_however_it_was_requested(server: Server, way: str, method: str) -> None:
    owner, consumer, body = server.token(fresh_id()), fresh_id(), WAYS[way]
    token = server.token(consumer)
    with streamed(server.client, token, body) as received:
        last = item(next(received))["cursor"]
    offer_image(server, owner, consumer)

    with streamed(server.client, token, body, last, method) as received:
        missed = item(next(received))

    assert (missed["__typename"], missed["tenant"]["id"]) == ("MemberStatusChanged", consumer)


def test_a_trusted_watch_sent_by_hash_resumes_after_the_last_event(tmp_path: Path) -> None:
    digest, tenant = sha256(ALONE.encode()).hexdigest(), fresh_id()
    manifest = tmp_path / "documents.json"
    manifest.write_text(json.dumps({digest: ALONE}))
    with run_server(tmp_path, documents_path=manifest) as server:
        owner, body = server.token(tenant), {"documentId": f"sha256:{digest}"}
        with streamed(server.client, owner, body, accept=f"application/json, {EVENTS}") as received:
            last = item(next(received))["cursor"]
        offer_image(server, owner, "10")
        with streamed(server.client, owner, body, last, accept=f"application/json, {EVENTS}") as received:
            assert item(next(received))["tenant"]["id"] == "10"


def test_the_last_event_is_newer_than_the_cursor_of_the_variables_and_of_the_document(server: Server) -> None:
    tenant = fresh_id()
    owner = server.token(tenant)
    with streamed(server.client, owner, {"query": VARIABLE}) as received:
        start = item(next(received))["cursor"]
        image = offer_image(server, owner, "10")
        ten = item(next(received))["cursor"]
    offer_image(server, owner, "11", image)

    for body in (
        {"query": VARIABLE, "variables": {"after": start}},
        {"query": VARIABLE.replace("(after: $after)", f'(after: "{start}")').replace("($after: Cursor)", "")},
    ):
        with streamed(server.client, owner, body, ten) as received:
            assert item(next(received))["tenant"]["id"] == "11"


@pytest.mark.parametrize(
    "last", ["nonsense", "x" * 5_000, "ä".encode(), b"\xff", "0", "*", '"quoted"', "a, b"], ids=repr
)
def test_an_invalid_event_id_is_refused_and_not_ignored(server: Server, last: str | bytes) -> None:
    with streamed(server.client, server.token(fresh_id()), {"query": VARIABLE}, last) as received:
        refused, end = received

    assert code(refused) == "CURSOR_INVALID"
    assert end["event"] == "complete"


def test_an_event_id_of_another_watch_or_viewer_is_refused(server: Server) -> None:
    tenant = server.token(fresh_id())
    filtered = {"query": ALONE.replace("Offers", "Offers(filter: {role: PRODUCER})")}
    with streamed(server.client, tenant, filtered) as received:
        last = item(next(received))["cursor"]

    for token, body in ((tenant, {"query": VARIABLE}), (server.token(fresh_id()), filtered)):
        with streamed(server.client, token, body, last) as received:
            assert code(next(received)) == "CURSOR_INVALID"


def test_an_empty_event_id_counts_as_absent(server: Server) -> None:
    with streamed(server.client, server.token(fresh_id()), {"query": VARIABLE}, "") as received:
        assert item(next(received))["__typename"] == "WatchBookmark"


def test_an_interrupted_snapshot_sends_a_reset_and_starts_over(server: Server) -> None:
    owner = server.token(fresh_id())
    image = server.register(owner)
    server.do("offerImage", owner, imageId=image, tenantIds=["10", "11", "12"])
    body = {"query": ALONE.replace("Offers", "Offers(initial: SNAPSHOT)")}
    with streamed(server.client, owner, body) as received:
        first = item(next(received))
    with streamed(server.client, owner, body, first["cursor"]) as received:
        again = [item(next(received)) for _ in range(5)]

    assert first["__typename"] == "MemberState"
    assert again[0]["reason"] == "SNAPSHOT_INCOMPLETE"
    assert [one["__typename"] for one in again[1:]] == ["MemberState"] * 3 + ["WatchSynced"]


@pytest.mark.parametrize("way", ["direct", "through nginx"])
def test_a_stream_interrupted_after_each_event_delivers_every_change_once(
    server: Server, tmp_path: Path, way: str
) -> None:
    tenant = fresh_id()
    owner, image, tenants = server.token(tenant), server.register(server.token(tenant)), list[str]()
    consumers = [fresh_id() for _ in range(6)]
    with _client(server, tmp_path, way) as client:
        with streamed(client, owner, {"query": VARIABLE}, method="GET") as received:
            last = item(next(received))["cursor"]
        server.do("offerImage", owner, imageId=image, tenantIds=consumers)
        for _ in consumers:
            with streamed(client, owner, {"query": VARIABLE}, last, "GET") as received:
                change = item(next(received))
            last = change["cursor"]
            tenants.append(change["tenant"]["id"])

    assert tenants == consumers


@contextmanager
def _client(server: Server, folder: Path, way: str) -> Generator[httpx2.Client]:
    if way == "direct":
        yield server.client
        return
    if (reason := nginx.reason_to_skip()) is not None:
        pytest.skip(reason)
    with nginx.run_nginx(server, folder) as port:
        trusted = ssl.create_default_context(cafile=str(folder / "gateway.crt"))
        with httpx2.Client(base_url=f"https://localhost:{port}", verify=trusted, timeout=20, trust_env=False) as client:
            yield client
