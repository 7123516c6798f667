"""Makes the store slow: its reads and writes are recorded as they start, and wait until released."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app import lifetime
from app.lifetime import Lifetime
from app.store import images
from app.store.plan import pooled
from app.store.snapshot import Snapshot


class SlowStore:
    """The reads and writes that have started and ended, and the lifetimes of their operations."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.lives: list[Lifetime] = []
        self._gate = asyncio.Event()

    def release(self) -> None:
        self._gate.set()

    def delay(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Wrap a function so that it waits when it runs for an operation; background work does not wait."""

        async def slow(*args: Any, **kwargs: Any) -> Any:
            if (life := lifetime.current()) is None:
                return await work(*args, **kwargs)
            return await self._run_delayed(life, work, *args, **kwargs)

        return slow

    async def _run_delayed(self, life: Lifetime, work: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        self.started.append(work.__name__)
        self.lives.append(life)
        await self._gate.wait()
        found = await work(*args, **kwargs)
        self.ended.append(work.__name__)
        return found

    def delay_writes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make each new image wait in the middle of its transaction."""
        add = images.add

        async def slow(*args: Any) -> None:
            self.started.append("add")
            await self._gate.wait()
            await add(*args)
            self.ended.append("add")

        monkeypatch.setattr(images, "add", slow)


def delay_reads(monkeypatch: pytest.MonkeyPatch) -> SlowStore:
    """Make all reads of operations wait, including those of plans on PostgreSQL."""
    store, read = SlowStore(), Snapshot.read

    async def slow(snapshot: Snapshot, query: Any, *args: Any, **kwargs: Any) -> Any:
        return await read(snapshot, store.delay(query), *args, **kwargs)

    monkeypatch.setattr(Snapshot, "read", slow)
    monkeypatch.setattr(pooled, "_fetch", store.delay(pooled._fetch))
    return store
