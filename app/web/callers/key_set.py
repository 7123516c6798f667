"""The key set of an identity provider, fetched at startup, at intervals, and when a token's key is missing.

There is at most one fetch in GAP_SECONDS. When fetches fail, the known keys stay valid for `keep_seconds`.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

import structlog

from app.errors import Unavailable
from app.web.callers.key_index import KeyIndex
from app.web.callers.keys import Key, NoKeys, parse_keys

logger: Any = structlog.get_logger("keys")
GAP_SECONDS = 3.0
RETRY_SECONDS = 10.0
MAX_WAITING = 256


class Server(Protocol):
    """A source of key sets."""

    url: str

    async def fetch(self) -> bytes:
        """The key set as JSON. Raises NoKeys."""
        ...

    async def close(self) -> None: ...


class KeySet:
    """The keys of one key server. Calls `on_withdrawn` with keys that the server no longer lists.

    With `issuer`, keys that name another one are left out.
    """

    def __init__(
        self,
        server: Server,
        algorithms: Collection[str],
        refresh_seconds: float,
        keep_seconds: float,
        on_withdrawn: Callable[[Iterable[Key]], None],
        issuer: str | None = None,
    ) -> None:
        self._server = server
        self._issuer = issuer
        self._refresh_seconds = refresh_seconds
        self._keep_seconds = keep_seconds
        self._on_withdrawn = on_withdrawn
        self.index = KeyIndex(frozenset(), algorithms)
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        self._waiting = 0
        self._demand = asyncio.Event()
        self._fetched: asyncio.Future[bool] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        return not self.index.keys

    @property
    def age(self) -> float:
        """Seconds since the last successful fetch."""
        return asyncio.get_running_loop().time() - self._fetched_at

    async def wait_for_fetch(self) -> None:
        """Wait for the current fetch, or the next one. Raises Unavailable if it fails."""
        now = asyncio.get_running_loop().time()
        if self._fetched is None or self._waiting >= MAX_WAITING or now < self._failed_at + GAP_SECONDS:
            raise Unavailable("The keys that verify tokens can't be fetched at the moment. Try again in a few seconds.")
        self._waiting += 1
        self._demand.set()
        try:
            has_succeeded = await asyncio.shield(self._fetched)
        finally:
            self._waiting -= 1
        if not has_succeeded:
            raise Unavailable("The keys that verify tokens can't be fetched at the moment. Try again in a few seconds.")

    def start(self) -> None:
        self._fetched = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._end_round(has_succeeded=False)
        self._fetched = None
        await self._server.close()

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            has_succeeded = await self._fetch()
            self._end_round(has_succeeded)
            await asyncio.sleep(
                began + GAP_SECONDS - clock()
            )  # so that tokens with unknown keys can't flood the server
            if not has_succeeded and self.is_empty:
                continue  # no caller can be identified, so `/readyz` keeps away the requests that would ask for a fetch
            await self._wait_for_demand(
                self._refresh_seconds if has_succeeded else min(self._refresh_seconds, RETRY_SECONDS)
            )

    def _end_round(self, has_succeeded: bool) -> None:
        """Wake the requests that wait. Later ones wait for another fetch."""
        if self._fetched is not None:
            self._fetched.set_result(has_succeeded)
        self._fetched = asyncio.get_running_loop().create_future()
        self._demand.clear()

    async def _wait_for_demand(self, at_most: float) -> None:
        try:
            async with asyncio.timeout(at_most):
                await self._demand.wait()
        except TimeoutError:
            return

    async def _fetch(self) -> bool:
        now = asyncio.get_running_loop().time()
        try:
            self._replace(parse_keys(await self._server.fetch(), self.index.algorithms, self._issuer))
        except NoKeys as problem:
            logger.warning(
                "the key set could not be fetched",
                url=self._server.url,
                reason=str(problem),
                known=len(self.index.keys),
            )
        except Exception as error:  # the known keys stay, and the fetch is retried
            logger.error("fetching the key set failed", url=self._server.url, exc_info=error)
        else:
            self._fetched_at = now
            return True
        self._failed_at = asyncio.get_running_loop().time()
        if now - self._fetched_at > self._keep_seconds:
            self._replace(frozenset())
        return False

    def _replace(self, found: frozenset[Key]) -> None:
        new, gone = found - self.index.keys, self.index.keys - found
        self.index = KeyIndex(found, self.index.algorithms)
        if new or gone:
            logger.info("the key set has changed", new=_names(new), withdrawn=_names(gone))
        if gone:
            self._on_withdrawn(gone)


def _names(keys: Iterable[Key]) -> list[str]:
    return sorted(f"{key.id} ({key.algorithm})" for key in keys)
