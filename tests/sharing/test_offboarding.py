"""Removing a tenant: its data is deleted, everyone involved receives the changes, and nobody else loses anything."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.sharing import offboarding
from app.store.tenant_holdings import Holdings
from tests.harness import operations
from tests.harness.commands import error_of, output_of
from tests.harness.databases import Databases
from tests.harness.event_log import changes_after
from tests.harness.gateway import Gateway
from tests.harness.scenario import fresh_id
from tests.harness.server import run_server
from tests.harness.waiting import wait_until

RunGateway = Callable[..., AbstractAsyncContextManager[Gateway]]
EVERYTHING = """{
  images(first: 100) { nodes { id owner { id } } } offers(status: [PENDING, ACCEPTED, REJECTED], first: 100) {
    nodes { status tenant { id } image { id owner { id } } } } sentOffers(first: 100) { nodes { status tenant { id } } }
}"""


class Story:
    """A tenant to be removed, its producers and its consumers."""

    def __init__(self, gateway: Gateway) -> None:
        self.leaver, self.partner, self.stranger = (gateway.tenant(fresh_id()) for _ in range(3))
        self.own: list[str] = []
        self.joined: list[str] = []
        self.others: list[str] = []

    async def begin(self) -> "Story":
        leaver, partner, stranger = self.leaver, self.partner, self.stranger
        self.own = [await leaver.register(visibility="SHARED"), await leaver.register(protected=True)]
        self.joined = [await partner.register(visibility="SHARED") for _ in range(3)]
        self.others = [await stranger.register(visibility="SHARED")]
        await leaver.offer(self.own[0], partner.id, stranger.id)
        await partner.accept(self.own[0])
        for image in self.joined:
            await partner.offer(image, leaver.id, stranger.id)
        await leaver.accept(self.joined[0])
        await leaver.reject(self.joined[1])
        # An inert membership counts as well.
        await partner.update(self.joined[2], visibility="PRIVATE")
        await stranger.offer(self.others[0], partner.id)
        return self


async def test_the_data_of_a_removed_tenant_disappears_from_every_list(gateway: Gateway) -> None:
    story = await Story(gateway).begin()
    store = gateway.services.store
    before = await offboarding.count_holdings(store, story.leaver.id)
    assert before._replace(events=0) == Holdings(images=2, offered=2, memberships=3, records=0, events=0)

    after = await offboarding.remove(store, story.leaver.id)

    assert after.is_empty
    operator = gateway.tenant(fresh_id(), "operator")
    for viewer in (story.leaver, story.partner, story.stranger, operator):
        assert story.leaver.id not in json.dumps(await viewer.get(EVERYTHING))
    seen = {image["id"] for image in (await operator.get(EVERYTHING))["images"]["nodes"]}
    assert {*story.joined, *story.others} <= seen
    [kept] = (await story.partner.get(EVERYTHING))["offers"]["nodes"]
    assert kept["image"]["id"] == story.others[0]


async def test_its_consumers_and_its_producers_receive_the_changes(gateway: Gateway) -> None:
    story = await Story(gateway).begin()
    async with story.partner.watch() as watch:
        await anext(watch)
        await offboarding.remove(gateway.services.store, story.leaver.id)
        items = [await anext(watch) for _ in range(4)]

    received = {(item["kind"], item["imageId"], item["status"], item["tenant"]["id"]) for item in items}
    ended = {("REVOKED", image, None, story.leaver.id) for image in story.joined}
    assert received == {("IMAGE_DELETED", story.own[0], None, story.partner.id), *ended}
    assert {item["actor"]["id"] for item in items} == {story.leaver.id}


async def test_each_removed_row_has_one_event(gateway: Gateway) -> None:
    story = await Story(gateway).begin()
    store = gateway.services.store
    before = await changes_after(store, 0)
    held = await offboarding.count_holdings(store, story.leaver.id)
    await offboarding.remove(store, story.leaver.id)

    new = [change.entry for change in await changes_after(store, before[-1].seq)]
    ended = [entry.member_id for entry in new if entry.member_id is not None]
    assert len(ended) == len(set(ended)) == held.offered + held.memberships
    assert [entry.image_id for entry in new if entry.member_id is None] == story.own


async def test_its_idempotency_keys_are_deleted(gateway: Gateway) -> None:
    story = await Story(gateway).begin()
    await story.leaver.register(idempotencyKey="once")
    await story.stranger.register(idempotencyKey="once")
    store = gateway.services.store
    assert (await offboarding.count_holdings(store, story.leaver.id)).records == 1

    await offboarding.remove(store, story.leaver.id)

    async with store.reader.connect() as conn:
        left = (await conn.execute(text("SELECT tenant_id FROM recorded_outcome"))).scalars().all()
    assert left == [story.stranger.id]


async def test_an_interrupted_removal_is_continued_by_the_next(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = await Story(gateway).begin()
    store, act = gateway.services.store, gateway.services.store.act
    acts = 0

    async def cut_short(action: Any) -> Any:
        nonlocal acts
        acts += 1
        if acts == 3:
            raise ConnectionError
        return await act(action)

    monkeypatch.setattr(store, "act", cut_short)
    with pytest.raises(ConnectionError):
        await offboarding.remove(store, story.leaver.id)
    assert not (await offboarding.count_holdings(store, story.leaver.id)).is_empty

    assert (await offboarding.remove(store, story.leaver.id)).is_empty


async def test_data_added_during_the_removal_is_removed_too(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    story = await Story(gateway).begin()
    store, act = gateway.services.store, gateway.services.store.act
    late = iter([story.others[0]])

    async def act_and_offer(action: Any) -> Any:
        done = await act(action)
        for image in late:
            await story.stranger.offer(image, story.leaver.id)
        return done

    monkeypatch.setattr(store, "act", act_and_offer)
    assert (await offboarding.remove(store, story.leaver.id)).is_empty


@pytest.mark.slow
async def test_the_command_is_a_dry_run_unless_confirmed_and_works_next_to_a_running_server(
    databases: Databases, tmp_path: Path
) -> None:
    url, leaver, partner = databases.fresh(), fresh_id(), fresh_id()
    with run_server(tmp_path, database_url=url) as server:
        image = server.register(server.token(leaver), protected=True, visibility="SHARED")
        server.do("offerImage", server.token(leaver), imageId=image, tenantIds=[partner])
        command = ("remove-tenant", "--tenant", leaver, "--database", url)

        dry = output_of(tmp_path, *command)
        assert "Nothing was changed" in dry
        assert "1 (members: 1)" in dry
        assert server.data(operations.IMAGES, server.token(leaver))["images"]["totalCount"] == 1

        done = output_of(tmp_path, *command, "--yes")
        assert done.endswith("All of it is gone.\n")
        assert server.data(operations.IMAGES, server.token(leaver))["images"]["totalCount"] == 0
        events = server.data("{ offerEvents { nodes { kind } } }", server.token(partner))["offerEvents"]["nodes"]
        assert [event["kind"] for event in events] == ["OFFERED", "IMAGE_DELETED"]
        await wait_until(lambda: 'log_head{worker="0"} 4.0' in server.client.get("/metrics").text)


def test_a_malformed_tenant_id_is_refused(tmp_path: Path) -> None:
    assert "A tenant ID has the form" in error_of(tmp_path, "remove-tenant", "--tenant", "all of them", "--yes")
    assert list(tmp_path.iterdir()) == []
