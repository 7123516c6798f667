"""The log and the member table always agree, whoever does what."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlmodel import col

from app.model import LogEntry, Member
from app.store.database import Store
from app.store.snapshot import read_once
from tests.harness.databases import Databases
from tests.harness.event_log import changes_after, member_changes_after
from tests.harness.gateway import Gateway, Tenant, refusal_code, settings_for, start_gateway

pytestmark = pytest.mark.slow

TENANTS = st.sampled_from(["1", "2", "3"])
OWNERS = st.sampled_from(["the owner", "the owner", "the owner", "1", "2", "3"])
LISTS_OF_TENANTS = st.lists(st.sampled_from(["1", "2", "3", "4", "bad"]), min_size=1, max_size=4)
ANSWERS = st.sampled_from(["accept", "reject", "defer"])
VISIBILITIES = st.sampled_from(["PRIVATE", "SHARED", "COMMUNITY"])
ROLES = st.sampled_from([("admin",), ("admin",), ("admin",), ("creator",), ("observer",), ("operator",)])


class Sharing(RuleBasedStateMachine):
    """Tenants act on their own images and those of others, with and without the right to."""

    images = Bundle("images")
    database_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.running = start_gateway(settings_for(self.database_url, member_quota=2))
        self.gateway: Gateway = self.runner.run(self.running.__aenter__())
        self.start = self._head()
        self.owners: dict[str, str] = {}

    def teardown(self) -> None:
        self.runner.run(self.running.__aexit__(None, None, None))
        self.runner.close()

    @initialize(target=images)
    def a_first_image(self) -> str:
        image = self._new_image("1")
        self._run(self.gateway.tenant("1").offer(image, "2", "3"))
        return image

    @rule(target=images, owner=TENANTS)
    def register(self, owner: str) -> str:
        return self._new_image(owner)

    @rule(caller=OWNERS, roles=ROLES, image=images, to=LISTS_OF_TENANTS)
    def offer(self, caller: str, roles: tuple[str, ...], image: str, to: list[str]) -> None:
        before = len(self._log())
        payload = self._run(self._caller(caller, roles, image).offer(image, *to))
        assert len(self._log()) == before + len(payload["members"])

    @rule(caller=TENANTS, roles=ROLES, image=images, answer=ANSWERS)
    def answer(self, caller: str, roles: tuple[str, ...], image: str, answer: str) -> None:
        self._outcome_of(getattr(self.gateway.tenant(caller, *roles), answer)(image))

    @rule(caller=OWNERS, roles=ROLES, image=images, tenant=TENANTS)
    def revoke(self, caller: str, roles: tuple[str, ...], image: str, tenant: str) -> None:
        self._outcome_of(self._caller(caller, roles, image).revoke(image, tenant))

    @rule(caller=OWNERS, roles=ROLES, image=images, visibility=VISIBILITIES)
    def change_visibility(self, caller: str, roles: tuple[str, ...], image: str, visibility: str) -> None:
        before = len(self._log())
        self._run(self._caller(caller, roles, image).update(image, visibility=visibility))
        assert len(self._log()) == before

    @rule(caller=OWNERS, roles=ROLES, image=images)
    def delete(self, caller: str, roles: tuple[str, ...], image: str) -> None:
        members = {key for key in self._table() if key[0] == image}
        before = len(self._log())
        payload = self._run(self._caller(caller, roles, image).delete(image))
        assert len(self._log()) == before + (len(members) if refusal_code(payload) == "ok" else 0)

    @invariant()
    def folding_the_log_gives_the_member_table(self) -> None:
        assert _folded(self._log()) == self._table()

    @invariant()
    def the_log_is_numbered_without_holes(self) -> None:
        numbers = [change.seq for change in self._run(changes_after(self._store(), self.start))]
        assert numbers == list(range(self.start + 1, self._head() + 1))

    def _new_image(self, owner: str) -> str:
        image = self._run(self.gateway.tenant(owner).register())
        self.owners[image] = owner
        return image

    def _caller(self, who: str, roles: tuple[str, ...], image: str) -> Tenant:
        return self.gateway.tenant(self.owners[image] if who == "the owner" else who, *roles)

    def _outcome_of(self, action: Any) -> None:
        before = self._head(), self._table()
        payload = self._run(action)
        logged = len(self._run(member_changes_after(self._store(), before[0])))
        assert logged == (self._table() != before[1])
        assert refusal_code(payload) == "ok" or logged == 0

    def _run(self, work: Any) -> Any:
        return self.runner.run(work)

    def _store(self) -> Store:
        return self.gateway.services.store

    def _head(self) -> int:
        return self._run(self.gateway.services.feed.head()).seq

    def _log(self) -> list[LogEntry]:
        return self._run(member_changes_after(self._store(), self.start))

    def _table(self) -> dict[tuple[str, str], tuple[str, str]]:
        return self._run(read_once(self._store(), _member_rows, self._log_images()))

    def _log_images(self) -> set[str]:
        return {change.image_id for change in self._log()}


async def _member_rows(conn: Any, image_ids: set[str]) -> dict[tuple[str, str], tuple[str, str]]:
    columns = [col(getattr(Member, name)) for name in ("image_id", "tenant_id", "id", "status")]
    rows = await conn.execute(select(*columns).where(col(Member.image_id).in_(image_ids)))
    return {(row.image_id, row.tenant_id): (row.id, row.status) for row in rows}


def _folded(changes: list[LogEntry]) -> dict[tuple[str, str], tuple[str, str]]:
    """The member table according to the log. Each change must start from the status that the previous one left."""
    table: dict[tuple[str, str], tuple[str, str]] = {}
    for change in changes:
        assert change.member_id is not None
        key = (change.image_id, change.tenant_id)
        before = table.pop(key, None)
        assert before == (None if change.previous_status is None else (change.member_id, change.previous_status))
        if change.status is not None:
            table[key] = (change.member_id, change.status)
    return table


@pytest.mark.parametrize("examples", [8, pytest.param(30, marks=pytest.mark.long)])
def test_the_log_replays_to_the_member_table_for_every_sequence_of_actions(databases: Databases, examples: int) -> None:
    Sharing.database_url = databases.fresh()
    run_state_machine_as_test(
        Sharing,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
