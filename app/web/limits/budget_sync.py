"""Workers on one database share about once a second what their callers have spent.

Each worker decides by itself in between, so a caller may overspend across workers for that long. The debt is known to
all afterwards, and has to be earned first. A worker that can't reach the database decides alone.
"""

import asyncio
from itertools import islice
from typing import Any

import structlog

from app.store import budgets as shared
from app.store.budgets import SETTLED_AT_ONCE, Kind
from app.store.database import Store
from app.web.limits.bucket import Bucket
from app.web.limits.budget import Budget
from app.web.limits.budgets import Budgets

logger: Any = structlog.get_logger("budgets")
INTERVAL_SECONDS = 1.0
STOP_SECONDS = 2.0
SWEEP_EVERY = 60


class BudgetSync:
    """Settles budgets in the background, in a store that several workers share."""

    def __init__(self, store: Store, budgets: Budgets, interval: float = INTERVAL_SECONDS) -> None:
        self._store = store
        self._budgets = budgets.limited
        self._interval = interval
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_alone = False
        self.rounds = 0
        for budget in self._budgets:
            budget.unsettled = {}

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Settle once more, so that a restart loses nothing, unless the store takes too long."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._pause()
            await self._settle_all()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _settle_all(self) -> None:
        self.rounds += 1
        try:
            for budget in self._budgets:
                await self._settle(budget)
                if self.rounds % SWEEP_EVERY == 0:
                    await self._store.unit(self._sweep(budget))
        except Exception as error:  # noqa: BLE001  # whatever the store raises, this worker can decide alone meanwhile
            self._continue_alone(error)
        else:
            self._is_alone = False

    async def _settle(self, budget: Budget) -> None:
        unsettled = iter(list((budget.unsettled or {}).items()))
        while batch := dict(islice(unsettled, SETTLED_AT_ONCE)):
            spent = {key: bucket.unsettled for key, bucket in batch.items()}
            levels = await self._store.unit(self._write(budget, spent))
            for key, bucket in batch.items():
                _update(bucket, spent[key], levels[key], budget.buckets.clock())
            _forget_settled(budget)

    async def _write(self, budget: Budget, spent: dict[str, float]) -> dict[str, float]:
        async with self._store.transaction() as tx:
            return await shared.settle(tx, _kind(budget), spent)

    async def _sweep(self, budget: Budget) -> None:
        async with self._store.transaction() as tx:
            await shared.sweep(tx, _kind(budget))

    def _continue_alone(self, error: Exception) -> None:
        """Forget spending that has been earned again, so that a long outage leaves no debt."""
        if not self._is_alone:
            logger.warning("budgets can't be settled between workers", exc_info=error)
        self._is_alone = True
        for budget in self._budgets:
            for key, bucket in (budget.unsettled or {}).items():
                if (present := budget.buckets.find(key)) is None:
                    bucket.unsettled = 0.0
                else:
                    bucket.unsettled = min(bucket.unsettled, budget.capacity - present.level)
            _forget_settled(budget)


def _kind(budget: Budget) -> Kind:
    return Kind(budget.owner, budget.rate, budget.capacity)


def _update(bucket: Bucket, settled: float, level: float, now: float) -> None:
    bucket.unsettled -= settled
    # The level does not include what was spent while the statement ran.
    bucket.level, bucket.updated_at = level - bucket.unsettled, now


def _forget_settled(budget: Budget) -> None:
    budget.unsettled = {key: bucket for key, bucket in (budget.unsettled or {}).items() if bucket.unsettled}
