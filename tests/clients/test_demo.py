"""`serve --demo`, as a newcomer first sees it."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app import demo as demo_module
from tests.harness.commands import ServeCommand, start_serve

pytestmark = pytest.mark.slow

OFFERS = "{ offers(status: null) { nodes { status image { origin } } } }"
SENT = "{ sentOffers { nodes { status } } images { nodes { origin serverId sourceUrl } } }"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServeCommand]:
    """A demo without any settings, which generates its own secret."""
    with start_serve(tmp_path_factory.mktemp("demo"), "--demo", "--port", "0", auth_secret=None) as server:
        yield server


def test_the_demo_prints_its_addresses(demo: ServeCommand) -> None:
    text = "\n".join(demo.greeting)

    for address in ("http://{}/graphql", "ws://{}/graphql", "http://{}/livez", "http://{}/readyz"):
        assert address.format(demo.address) in text


@pytest.mark.parametrize("tenant_id", demo_module.TENANTS)
def test_each_token_of_the_demo_authenticates_its_tenant(demo: ServeCommand, tenant_id: str) -> None:
    assert _data(demo, tenant_id, "{ viewer { id } }") == {"viewer": {"id": tenant_id}}


def test_the_demo_has_an_offer_in_each_status(demo: ServeCommand) -> None:
    statuses = {"PENDING", "ACCEPTED", "REJECTED"}

    received = _data(demo, demo_module.CONSUMER, OFFERS)["offers"]["nodes"]
    sent = _data(demo, demo_module.PRODUCER, SENT)["sentOffers"]["nodes"]

    assert {offer["status"] for offer in received} == statuses
    assert {offer["status"] for offer in sent} == statuses


def test_the_demo_has_images_of_both_origins(demo: ServeCommand) -> None:
    images = _data(demo, demo_module.PRODUCER, SENT)["images"]["nodes"]

    assert {image["origin"] for image in images} == {"SNAPSHOT", "IMPORT"}
    assert all(image["serverId"] or image["sourceUrl"] for image in images)


def test_the_demo_leaves_nothing_behind_in_the_folder(tmp_path: Path) -> None:
    with start_serve(tmp_path, "--demo", "--port", "0", auth_secret=None) as server:
        assert server.stop() == 0

    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]


def _data(demo: ServeCommand, tenant_id: str, query: str) -> Any:
    headers = {"authorization": f"Bearer {demo.tokens[tenant_id]}"}
    answer = httpx2.post(demo.url, json={"query": query}, headers=headers).json()
    assert "errors" not in answer, answer
    return answer["data"]
