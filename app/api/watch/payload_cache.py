"""The payloads that were made lately: each once for all who ask the same at about the same time.

A payload is forgotten soon, since it also holds what was true and visible when it was made.
"""

import asyncio
from functools import partial
from typing import Any

from app.api.operation.context import Context
from app.api.watch.items import WatchItem
from app.api.watch.operation import WatchOperation
from app.api.watch.payload import InTheMaking, Payload, has_failed
from app.caches import ExpiringCache

MAX_PAYLOADS = 1_024
FRESH_SECONDS = 1.0
Key = tuple[Any, ...]


class Payloads:
    """By what is asked, for whom, and the cursor of the item."""

    def __init__(self) -> None:
        self.cache: ExpiringCache[Key, Payload] = ExpiringCache(MAX_PAYLOADS, FRESH_SECONDS)
        # Those that wait for their turn: nothing of them was read yet, so they are as fresh as can be.
        self._waiting: dict[Key, InTheMaking] = {}

    def __len__(self) -> int:
        return len(self.cache)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def shared(self, group: Key, operation: WatchOperation, item: WatchItem, context: Context, began: float) -> Payload:
        """The payload of an item for all who ask the same, and not from before this watch, which began then."""
        now, key = asyncio.get_running_loop().time(), (*group, item.cursor)
        payload = self.cache.find(key, now, began)
        if payload is not None and not has_failed(payload):
            return payload
        if (waiting := self._waiting.get(key)) is not None and not waiting.has_failed:
            return waiting
        if (rendered := operation.rendered(item, context.services.settings.max_response_bytes)) is not None:
            self._keep(key, rendered)
            return rendered
        return self._in_turn(key, operation, item, context)

    def _in_turn(self, key: Key, operation: WatchOperation, item: WatchItem, context: Context) -> InTheMaking:
        turns, tenant_id = context.services.turns, context.caller.tenant_id
        making = InTheMaking(
            lambda work: turns.take(tenant_id, work, len),
            lambda: self._begins(key, making),
            partial(operation.lifetime, context),
            partial(operation.execute_apart, item, context),
        )
        self._waiting[key] = making
        making.on_end(lambda: self._waits_no_longer(key, making))
        return making

    def _begins(self, key: Key, making: InTheMaking) -> None:
        self._waits_no_longer(key, making)
        self._keep(key, making)

    def _waits_no_longer(self, key: Key, making: InTheMaking) -> None:
        if self._waiting.get(key) is making:
            del self._waiting[key]

    def _keep(self, key: Key, payload: Payload) -> None:
        self.cache.add(key, payload, asyncio.get_running_loop().time())
