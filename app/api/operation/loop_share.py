"""Limits the share of the event loop that the watches of one tenant may use.

Rendered payloads cost microseconds and are only charged. Work in graphql-core or the store is scheduled: a few tasks
of each tenant at a time, and none while the tenant is over its share. A watcher that waits here loses nothing, because
it is a position in the log, and it holds no connection to the store.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic, thread_time
from typing import TypeVar

T = TypeVar("T")
AT_ONCE, SNAPSHOTS_AT_ONCE = 2, 4
# The longest sleep between checks whether the process is shutting down.
LONGEST_PAUSE = 0.25
# While a task waits for the store, the loop time of others is measured with it. So the charge has a maximum, which
# depends on the size of the result.
MAX_SECONDS, MAX_SECONDS_PER_BYTE = 0.005, 5e-6


class ShuttingDown(Exception):
    """The process is shutting down, which ends every watch."""


class Account:
    """The balance of one tenant in seconds of loop time; it is negative over the share."""

    __slots__ = ("at", "balance", "is_timer_set", "measured_until", "slots", "snapshots", "users")

    def __init__(self, balance: float, at: float) -> None:
        self.balance = balance
        self.at = at
        self.measured_until = 0.0
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.snapshots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)
        self.users = 0
        self.is_timer_set = False


class LoopShares:
    """The accounts of the tenants whose watches have recently used the event loop."""

    def __init__(
        self,
        share: float,
        is_ending: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = monotonic,
        loop_time: Callable[[], float] = thread_time,
    ) -> None:
        self._share = share
        self._is_ending = is_ending
        self._clock = clock
        self._loop_time = loop_time
        self._accounts: dict[str, Account] = {}

    def __len__(self) -> int:
        return len(self._accounts)

    async def run(self, tenant_id: str, work: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> T:
        """Run work once the tenant is within its share; the result's size limits the charge. Raises ShuttingDown."""
        with self._account(tenant_id) as account:
            async with account.slots:
                await self._wait_for_balance(account)
                began, bytes = self._loop_time(), 0
                try:
                    result = await work()
                    bytes = size(result)
                    return result
                finally:
                    self._settle(account, began, bytes)

    async def wait_for_balance(self, tenant_id: str) -> None:
        """Wait until the tenant is within its share. Raises ShuttingDown."""
        with self._account(tenant_id) as account:
            async with account.slots:
                await self._wait_for_balance(account)

    def charge(self, tenant_id: str, seconds: float) -> None:
        """Charge work that was not scheduled."""
        with self._account(tenant_id) as account:
            account.balance = self._balance(account) - seconds

    @asynccontextmanager
    async def snapshot(self, tenant_id: str) -> AsyncGenerator[None]:
        """Limit how many snapshots the tenant holds in memory at a time."""
        with self._account(tenant_id) as account:
            async with account.snapshots:
                yield

    async def pause(self, seconds: float) -> None:
        """Sleep for at most this time. Raises ShuttingDown."""
        if self._is_ending():
            raise ShuttingDown
        await asyncio.sleep(min(seconds, LONGEST_PAUSE))

    async def _wait_for_balance(self, account: Account) -> None:
        while (balance := self._balance(account)) <= 0:
            await self.pause(-balance / self._share + 0.001)

    def _settle(self, account: Account, began: float, bytes: int) -> None:
        """Charge a task, without the time that was already charged for concurrent ones."""
        now = self._loop_time()
        measured = now - max(began, account.measured_until)
        account.measured_until = now
        account.balance = self._balance(account) - min(measured, MAX_SECONDS + MAX_SECONDS_PER_BYTE * bytes)

    def _balance(self, account: Account) -> float:
        """Refill the balance, which reaches its maximum, the share, after a second without charges."""
        now = self._clock()
        account.balance = min(self._share, account.balance + (now - account.at) * self._share)
        account.at = now
        return account.balance

    @contextmanager
    def _account(self, tenant_id: str) -> Generator[Account]:
        account = self._accounts.get(tenant_id)
        if account is None:
            account = self._accounts[tenant_id] = Account(self._share, self._clock())
        account.users += 1
        try:
            yield account
        finally:
            account.users -= 1
            self._forget_when_full(tenant_id, account)

    def _forget_when_full(self, tenant_id: str, account: Account) -> None:
        """Delete an unused account, at once if its balance is full and otherwise when it will be."""
        if account.users or account.is_timer_set:
            return
        missing = self._share - self._balance(account)
        if missing <= 0:
            del self._accounts[tenant_id]
            return
        account.is_timer_set = True
        asyncio.get_running_loop().call_later(missing / self._share + 0.01, self._on_timer, tenant_id, account)

    def _on_timer(self, tenant_id: str, account: Account) -> None:
        account.is_timer_set = False
        self._forget_when_full(tenant_id, account)
