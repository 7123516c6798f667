"""Workers on one database tell each other about once a second what their callers have spent.

Between two settlements each worker decides by itself, so all of them together may let a caller spend too much for that
long; afterwards the debt is known to all, and has to be earned before anything else. Who can't settle goes on alone.
"""

import asyncio
from itertools import islice
from typing import Any

import structlog

from app.store import budgets as shared
from app.store.budgets import SETTLED_AT_ONCE, Kind
from app.store.database import Store
from app.web.limits.budget import Budget, Budgets

logger: Any = structlog.get_logger("budgets")
INTERVAL_SECONDS = 1.0
LAST_SECONDS = 2.0
SWEEP_EVERY = 60


class Settling:
    """Settles in the background, on a store that several workers share."""

    def __init__(self, store: Store, budgets: Budgets, interval: float = INTERVAL_SECONDS) -> None:
        self._store = store
        self._budgets = budgets.kinds
        self._interval = interval
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_alone = False
        self.rounds = 0
        for budget in self._budgets:
            budget.unsettled = {}

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Settle for the last time, so that a restart forgets nothing, unless the store keeps it waiting."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=LAST_SECONDS)

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._rest()
            await self._round()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        self.rounds += 1
        try:
            for budget in self._budgets:
                await self._settle(budget)
                if self.rounds % SWEEP_EVERY == 0:
                    await self._store.unit(self._swept(budget))
        except Exception as error:  # noqa: BLE001  # whatever it is, this worker's own accounts are good enough meanwhile
            self._go_on_alone(error)
        else:
            self._is_alone = False

    async def _settle(self, budget: Budget) -> None:
        waiting = iter(list((budget.unsettled or {}).items()))
        while some := dict(islice(waiting, SETTLED_AT_ONCE)):
            spent = {who: bucket.unsettled for who, bucket in some.items()}
            levels = await self._store.unit(self._settled(budget, spent))
            for who, bucket in some.items():
                bucket.unsettled -= spent[who]
                # What was spent while the answer was on its way is not in it.
                bucket.level, bucket.at = levels[who] - bucket.unsettled, budget.buckets.clock()
            _forget_the_settled(budget)

    async def _settled(self, budget: Budget, spent: dict[str, float]) -> dict[str, float]:
        async with self._store.writing() as tx:
            return await shared.settle(tx, _kind(budget), spent)

    async def _swept(self, budget: Budget) -> None:
        async with self._store.writing() as tx:
            await shared.sweep(tx, _kind(budget))

    def _go_on_alone(self, error: Exception) -> None:
        """What has been earned again since it was spent concerns nobody any more, however long this lasts."""
        if not self._is_alone:
            logger.warning("budgets can't be settled between workers just now", exc_info=error)
        self._is_alone = True
        for budget in self._budgets:
            for who, bucket in (budget.unsettled or {}).items():
                if (present := budget.buckets.known(who)) is None:
                    bucket.unsettled = 0.0
                else:
                    bucket.unsettled = min(bucket.unsettled, budget.brim - present.level)
            _forget_the_settled(budget)


def _kind(budget: Budget) -> Kind:
    return Kind(budget.name, budget.rate, budget.brim)


def _forget_the_settled(budget: Budget) -> None:
    budget.unsettled = {who: bucket for who, bucket in (budget.unsettled or {}).items() if bucket.unsettled}
