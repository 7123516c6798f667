"""Background work: components that are started in order and stopped in reverse order."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol


class Component(Protocol):
    """Work that goes on between two calls. `stop` is called only after `start` has succeeded."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Closing:
    """A resource that opens by itself and has to be closed."""

    close: Callable[[], Awaitable[None]]

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        await self.close()


class Group:
    """Several components as one. If one fails to start, those started before it are stopped."""

    def __init__(self, components: Sequence[Component]) -> None:
        self._components = components
        self._started = AsyncExitStack()

    async def start(self) -> None:
        async with AsyncExitStack() as started:
            for component in self._components:
                await component.start()
                started.push_async_callback(component.stop)
            self._started = started.pop_all()

    async def stop(self) -> None:
        """Stop every component, even if another one fails to stop."""
        await self._started.aclose()
