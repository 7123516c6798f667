"""The keys of an identity provider, kept up to date: fetched at the start, again and again, and when one is missing.

Whoever asks, there is at most one fetch in GAP_SECONDS. When a fetch fails, the keys that are known stay good for long.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

import structlog

from app.errors import KeyAwaited, Unauthenticated, Unavailable
from app.web.callers.faults import Fault
from app.web.callers.keys import MAX_KEY_ID, Key, NoKeys, read

logger: Any = structlog.get_logger("keys")
GAP_SECONDS = 3.0
RETRY_SECONDS = 10.0
MAX_WAITING = 256
MAX_TRIED = 4


class Server(Protocol):
    """Where a key set comes from."""

    url: str

    async def fetch(self) -> bytes:
        """The key set. Raises NoKeys."""
        ...

    async def close(self) -> None: ...


class KeySet:
    """The keys of one key server. `on_withdrawn` is told of those that are no longer among them."""

    def __init__(
        self,
        server: Server,
        algorithms: Collection[str],
        refresh_seconds: float,
        keep_seconds: float,
        on_withdrawn: Callable[[Iterable[Key]], None],
    ) -> None:
        self._server = server
        self.algorithms = frozenset(algorithms)
        self._refresh_seconds = refresh_seconds
        self._keep_seconds = keep_seconds
        self._on_withdrawn = on_withdrawn
        self._keys: frozenset[Key] = frozenset()
        self._by_id: dict[str | None, list[Key]] = {}
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        self._waiting = 0
        self._wanted = asyncio.Event()
        self._round: asyncio.Future[bool] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no token can be verified just now."""
        return not self._keys

    @property
    def age(self) -> float:
        """Seconds since the keys were last had."""
        return asyncio.get_running_loop().time() - self._fetched_at

    def fitting(self, algorithm: str, id: str | None) -> Sequence[Key]:
        """The keys that may have signed such a token. Raises KeyAwaited when the next fetch may bring one."""
        if id is not None and len(id) > MAX_KEY_ID:
            raise Unauthenticated(Fault.KEY_ID)
        named = self._keys if id is None else self._by_id.get(id, ())
        found = [key for key in named if key.algorithm == algorithm]
        if len(found) > MAX_TRIED:
            raise Unauthenticated(Fault.MANY_KEYS)
        if not found and named and id is not None:
            raise Unauthenticated(Fault.KEY_ALGORITHM)
        if not found:
            raise KeyAwaited(Fault.KEY_AWAITED)
        return found

    async def renewed(self) -> None:
        """Wait for the fetch that is under way, or for the next. Raises Unavailable when it brings no keys."""
        now = asyncio.get_running_loop().time()
        if self._round is None or self._waiting >= MAX_WAITING or now < self._failed_at + GAP_SECONDS:
            raise Unavailable("The keys that verify tokens can't be had just now. Try again in a few seconds.")
        self._waiting += 1
        self._wanted.set()
        try:
            has_come = await asyncio.shield(self._round)
        finally:
            self._waiting -= 1
        if not has_come:
            raise Unavailable("The keys that verify tokens can't be had just now. Try again in a few seconds.")

    def start(self) -> None:
        self._round = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._end_round(has_come=False)
        self._round = None
        await self._server.close()

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            has_come = await self._fetch()
            self._end_round(has_come)
            await asyncio.sleep(began + GAP_SECONDS - clock())  # this is what holds a flood of strange tokens off
            if not has_come and self.is_empty:
                continue  # nobody can be let in, and a balancer that heeds `/readyz` sends nobody who would ask
            await self._until_wanted(self._refresh_seconds if has_come else min(self._refresh_seconds, RETRY_SECONDS))

    def _end_round(self, has_come: bool) -> None:
        """Wake those who wait. Whoever comes from now on waits for another fetch."""
        if self._round is not None:
            self._round.set_result(has_come)
        self._round = asyncio.get_running_loop().create_future()
        self._wanted.clear()

    async def _until_wanted(self, at_most: float) -> None:
        try:
            async with asyncio.timeout(at_most):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _fetch(self) -> bool:
        now = asyncio.get_running_loop().time()
        try:
            self._take(read(await self._server.fetch(), self.algorithms))
        except NoKeys as problem:
            logger.warning("there is no key set", url=self._server.url, reason=str(problem), known=len(self._keys))
        except Exception as error:  # whatever it is, the known keys stay, and it is tried again
            logger.error("the search for keys failed", url=self._server.url, exc_info=error)
        else:
            self._fetched_at = now
            return True
        self._failed_at = asyncio.get_running_loop().time()
        if now - self._fetched_at > self._keep_seconds:
            self._take(frozenset())
        return False

    def _take(self, found: frozenset[Key]) -> None:
        new, gone = found - self._keys, self._keys - found
        self._keys = found
        by_id: defaultdict[str | None, list[Key]] = defaultdict(list)
        for key in found:
            by_id[key.id].append(key)
        self._by_id = dict(by_id)
        if new or gone:
            logger.info("the key set has changed", new=_names(new), withdrawn=_names(gone))
        if gone:
            self._on_withdrawn(gone)


def _names(keys: Iterable[Key]) -> list[str]:
    return sorted(f"{key.id} ({key.algorithm})" for key in keys)
