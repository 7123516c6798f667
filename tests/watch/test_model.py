"""A state machine of tenants, watchers, workers and retention: no watching client ever loses anything."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.store import log
from tests.harness.checker import CheckedWatch, FullLog, mark_in
from tests.harness.databases import Databases
from tests.harness.event_log import changes_after
from tests.harness.gateway import Gateway, settings_for, start_gateway
from tests.harness.planted_bugs import PLANTED_BUGS
from tests.harness.waiting import wait_until
from tests.harness.watch_model import Viewer

TENANTS = ("1", "2", "3")
FILTERS: tuple[dict[str, Any], ...] = ({}, {"role": "PRODUCER"}, {"role": "CONSUMER"}, {"status": ["ACCEPTED"]})
LIVE_WITHIN_SECONDS = 20
NUMBERS = st.integers(0, 3)


class Watching(RuleBasedStateMachine):
    """Two workers on one store, with rings so small that watchers fall out of them."""

    databases: Databases

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.held = AsyncExitStack()
        self.workers: list[Gateway] = []
        self.truth = FullLog()
        self.watches: list[CheckedWatch] = []
        self.sockets: dict[int, tuple[AsyncExitStack, Any, Gateway]] = {}
        self.images: list[str] = []

    @initialize(sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)))
    def two_workers(self, sizes: tuple[int, int]) -> None:
        # A new database, because the tables would still contain what an earlier example dropped from the log.
        database_url = self.databases.fresh()
        for size in sizes:
            chosen = settings_for(
                database_url,
                feed_ring_size=size,
                poll_seconds=0.01,
                bookmark_seconds=0.01,
                event_retention=timedelta(days=9_000),
            )
            self.workers.append(self.run(self.held.enter_async_context(start_gateway(chosen))))
        head = self.run(self.workers[0].services.feed.head())
        self.truth.epoch, self.truth.floor = head.epoch, head.floor
        self.truth.changes = self.run(changes_after(self.workers[0].services.store, head.floor))
        self.register()

    @rule()
    def register(self) -> None:
        self.images.append(self.run(self.workers[0].tenant("1").register()))
        self.learn()

    @rule(worker=NUMBERS, image=NUMBERS, to=st.sampled_from(TENANTS[1:]))
    def offer(self, worker: int, image: int, to: str) -> None:
        self.run(self.worker(worker).tenant("1").offer(self.images[image % len(self.images)], to))
        self.learn()

    @rule(worker=NUMBERS, image=NUMBERS, who=st.sampled_from(TENANTS[1:]), act=st.sampled_from(["accept", "reject"]))
    def answer(self, worker: int, image: int, who: str, act: str) -> None:
        self.run(getattr(self.worker(worker).tenant(who), act)(self.images[image % len(self.images)]))
        self.learn()

    @rule(image=NUMBERS, who=st.sampled_from(TENANTS[1:]))
    def revoke(self, image: int, who: str) -> None:
        self.run(self.workers[0].tenant("1").revoke(self.images[image % len(self.images)], who))
        self.learn()

    @rule(tenant=st.sampled_from(TENANTS), filter=st.sampled_from(FILTERS), operator=st.booleans(), worker=NUMBERS)
    def watch(self, tenant: str, filter: dict[str, Any], operator: bool, worker: int) -> None:
        if len(self.watches) < 4:
            watch = CheckedWatch(self.truth, Viewer(tenant, operator, filter), self.truth.head, self.truth.epoch)
            self.watches.append(watch)
            self.connect(len(self.watches) - 1, worker)
            self.run(self.pump(watch, len(self.watches) - 1, 1))

    @rule(watch=NUMBERS, worker=NUMBERS)
    def reconnect(self, watch: int, worker: int) -> None:
        """Resume at another worker, after the last item that the client has processed."""
        if watch < len(self.watches):
            self.run(self.sockets.pop(watch)[0].aclose())
            self.connect(watch, worker)

    @rule(watch=NUMBERS, items=st.integers(1, 4))
    def hear_some(self, watch: int, items: int) -> None:
        if watch < len(self.watches):
            self.run(self.pump(self.watches[watch], watch, items))

    @rule(keep=st.integers(0, 4))
    def compact(self, keep: int) -> None:
        async def act() -> None:
            async with self.workers[0].services.store.transaction() as tx:
                await log.compact(tx, tx.now + timedelta(days=1), keep)

        self.run(act())
        self.truth.floor = self.run(self.workers[0].services.feed.head()).floor

    @rule()
    def restore_a_backup(self) -> None:
        async def act() -> None:
            async with self.workers[0].services.store.transaction() as tx:
                await log.rotate_epoch(tx)
            head = await self.workers[0].services.feed.head()
            async with asyncio.timeout(20):
                while {worker.services.feed.seal.epoch for worker in self.workers} != {head.epoch}:
                    await asyncio.sleep(0.005)
            self.truth.epoch = head.epoch

        self.run(act())

    @invariant()
    def the_log_has_no_holes(self) -> None:
        numbers = [change.seq for change in self.truth.changes]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True

    def teardown(self) -> None:
        """Check that each watch finally catches up."""
        try:
            for place, watch in enumerate(self.watches):
                self.run(self.settle(watch, place))
        finally:
            for stack, _, _ in self.sockets.values():
                self.run(stack.aclose())
            self.run(self.held.aclose())
            self.runner.close()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def worker(self, number: int) -> Gateway:
        return self.workers[number % len(self.workers)]

    def learn(self) -> None:
        """Read new events of the log before anything can drop them."""
        store = self.workers[0].services.store
        self.truth.changes += self.run(changes_after(store, self.truth.head))

    def all_have_read_the_log(self) -> None:
        """Wait for all workers: one that lags has not yet dropped from its ring what should reveal the bug."""
        feeds = [worker.services.feed for worker in self.workers]
        self.run(wait_until(lambda: all(feed._ring.top == self.truth.head for feed in feeds)))

    def connect(self, place: int, worker: int) -> None:
        watch, gateway = self.watches[place], self.worker(worker)
        tenant = gateway.tenant(
            watch.viewer.tenant_id, *(["admin", "operator"] if watch.viewer.is_operator else ["admin"])
        )
        stack = AsyncExitStack()
        manner = {"after": watch.cursor} if watch.cursor else {}
        items = self.run(stack.enter_async_context(tenant.watch(filter=watch.viewer.filter, **manner)))
        self.sockets[place] = stack, items, gateway

    async def pump(self, watch: CheckedWatch, place: int, number: int) -> None:
        _, items, gateway = self.sockets[place]
        for _ in range(number):
            item = await anext(items)
            watch.check(item, mark_in(gateway.services.feed.seal, item["cursor"]))

    async def settle(self, watch: CheckedWatch, place: int) -> None:
        deadline = asyncio.get_running_loop().time() + LIVE_WITHIN_SECONDS
        while watch.seq < self.truth.head or watch.states is not None:
            await self.pump(watch, place, 1)
            assert asyncio.get_running_loop().time() < deadline, "the watch does not reach the present"


def check(databases: Databases, examples: int) -> None:
    Watching.databases = databases
    run_state_machine_as_test(
        Watching,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


@pytest.mark.slow
def test_every_watch_receives_what_the_log_contains_whatever_happens(databases: Databases, request: Any) -> None:
    check(databases, max(8, int(request.config.getoption("--rounds")) // 2))


def play(databases: Databases) -> None:
    """A scenario that reveals each planted bug: a watch behind the ring, retention, and another worker."""
    Watching.databases = databases
    machine = Watching()
    try:
        machine.two_workers((1, 5))
        machine.watch("1", {}, False, 0)
        machine.watch("3", {}, False, 1)
        machine.hear_some(0, 2)
        machine.offer(0, 0, "2")
        machine.answer(0, 0, "2", "accept")
        machine.hear_some(0, 2)
        machine.hear_some(1, 2)
        machine.answer(0, 0, "2", "reject")
        machine.answer(0, 0, "2", "accept")
        machine.all_have_read_the_log()
        machine.reconnect(0, 1)
        machine.hear_some(0, 3)
        for act in ("reject", "accept") * 3:
            machine.answer(0, 0, "2", act)
        machine.all_have_read_the_log()
        machine.compact(1)
        machine.hear_some(0, 3)
    finally:
        machine.teardown()


@pytest.mark.slow
def test_without_a_planted_bug_the_scenario_passes(databases: Databases) -> None:
    play(databases)


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTED_BUGS.values(), ids=PLANTED_BUGS)
def test_the_checker_finds_a_planted_bug(
    sqlite_databases: Databases, monkeypatch: pytest.MonkeyPatch, plant: Any
) -> None:
    plant(monkeypatch)

    with pytest.raises(AssertionError):
        play(sqlite_databases)
