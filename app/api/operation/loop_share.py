"""How much of the event loop the watches of one tenant take: a share of it, and what is beyond waits for its turn.

What is rendered costs microseconds and goes on at once. What goes through GraphQL, or reads the store, takes a turn: a
few of each tenant's at a time, and none while that tenant is beyond its share. A watcher is a position in the log, so
whoever waits here loses nothing; it holds no connection of the store meanwhile.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic, thread_time
from typing import TypeVar

T = TypeVar("T")
AT_ONCE, SNAPSHOTS_AT_ONCE = 2, 4
# Nobody rests for longer without a look whether the process is about to end.
LONGEST_REST = 0.25
# While a turn waits for the store, others' work is measured with it. So none counts for more than what it made can have
# taken: so much, and so much for each byte.
MOST_SECONDS, MOST_SECONDS_A_BYTE = 0.005, 5e-6


class Leaving(Exception):
    """The process is about to end, and with it every watch."""


class Account:
    """What one tenant may still take, in seconds of the loop; below zero it has taken more than its share."""

    __slots__ = ("at", "counted_to", "is_on_timer", "level", "places", "snapshots", "users")

    def __init__(self, level: float, at: float) -> None:
        self.level = level
        self.at = at
        self.counted_to = 0.0
        self.places = asyncio.Semaphore(AT_ONCE)
        self.snapshots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)
        self.users = 0
        self.is_on_timer = False


class Turns:
    """The accounts of the tenants whose watches have taken something lately."""

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

    async def take(self, tenant_id: str, work: Callable[[], Awaitable[T]], size: Callable[[T], int]) -> T:
        """What the work gives, in the tenant's turn; its size in bytes bounds what it counts for. Raises Leaving."""
        with self._used(tenant_id) as account:
            async with account.places:
                await self._earned(account)
                began, bytes = self._loop_time(), 0
                try:
                    made = await work()
                    bytes = size(made)
                    return made
                finally:
                    self._count(account, began, bytes)

    async def earned(self, tenant_id: str) -> None:
        """Return when the tenant is within its share. Raises Leaving."""
        with self._used(tenant_id) as account:
            async with account.places:
                await self._earned(account)

    def spend(self, tenant_id: str, seconds: float) -> None:
        """Count what was taken without a turn."""
        with self._used(tenant_id) as account:
            account.level = self._level(account) - seconds

    @asynccontextmanager
    async def snapshot(self, tenant_id: str) -> AsyncGenerator[None]:
        """While the tenant holds one more snapshot in memory: a few at a time."""
        with self._used(tenant_id) as account:
            async with account.snapshots:
                yield

    async def rest(self, seconds: float) -> None:
        """Wait for so long, or for a part of it. Raises Leaving."""
        if self._is_ending():
            raise Leaving
        await asyncio.sleep(min(seconds, LONGEST_REST))

    async def _earned(self, account: Account) -> None:
        while (level := self._level(account)) <= 0:
            await self.rest(-level / self._share + 0.001)

    def _count(self, account: Account, began: float, bytes: int) -> None:
        """Turns side by side are measured once."""
        now = self._loop_time()
        measured = now - max(began, account.counted_to)
        account.counted_to = now
        account.level = self._level(account) - min(measured, MOST_SECONDS + MOST_SECONDS_A_BYTE * bytes)

    def _level(self, account: Account) -> float:
        """In a second the share fills, and no more is ever there."""
        now = self._clock()
        account.level = min(self._share, account.level + (now - account.at) * self._share)
        account.at = now
        return account.level

    @contextmanager
    def _used(self, tenant_id: str) -> Generator[Account]:
        account = self._accounts.get(tenant_id)
        if account is None:
            account = self._accounts[tenant_id] = Account(self._share, self._clock())
        account.users += 1
        try:
            yield account
        finally:
            account.users -= 1
            self._forget_in_time(tenant_id, account)

    def _forget_in_time(self, tenant_id: str, account: Account) -> None:
        """An account that nobody uses is forgotten once it is full again, as a new one is."""
        if account.users or account.is_on_timer:
            return
        missing = self._share - self._level(account)
        if missing <= 0:
            del self._accounts[tenant_id]
            return
        account.is_on_timer = True
        asyncio.get_running_loop().call_later(missing / self._share + 0.01, self._look_again, tenant_id, account)

    def _look_again(self, tenant_id: str, account: Account) -> None:
        account.is_on_timer = False
        self._forget_in_time(tenant_id, account)
