"""Caches payloads, so that each is made once for all watchers with the same operation.

Entries expire soon, because nested fields show the state at the time when the payload was made.
"""

import asyncio
from functools import partial
from typing import Any

from app.api.operation.context import Context
from app.api.watch.items import WatchItem
from app.api.watch.operation import WatchOperation
from app.api.watch.payload import Payload, PendingPayload, has_failed
from app.caches import ExpiringCache

MAX_PAYLOADS = 1_024
FRESH_SECONDS = 1.0
Key = tuple[Any, ...]


class Payloads:
    """Payloads by operation, caller and cursor."""

    def __init__(self) -> None:
        self.cache: ExpiringCache[Key, Payload] = ExpiringCache(MAX_PAYLOADS, FRESH_SECONDS)
        # Scheduled payloads, for which nothing has been read yet, so they can't be stale.
        self._waiting: dict[Key, PendingPayload] = {}

    def __len__(self) -> int:
        return len(self.cache)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def shared_payload(
        self, group: Key, operation: WatchOperation, item: WatchItem, context: Context, began: float
    ) -> Payload:
        """The shared payload of an item, made no earlier than the start of this watch."""
        now, key = asyncio.get_running_loop().time(), (*group, item.cursor)
        payload = self.cache.find(key, now, began)
        if payload is not None and not has_failed(payload):
            return payload
        if (waiting := self._waiting.get(key)) is not None and not waiting.has_failed:
            return waiting
        if (rendered := operation.render(item, context.services.settings.max_response_bytes)) is not None:
            self._keep(key, rendered)
            return rendered
        return self._schedule(key, operation, item, context)

    def _schedule(self, key: Key, operation: WatchOperation, item: WatchItem, context: Context) -> PendingPayload:
        loop_shares, tenant_id = context.services.loop_shares, context.caller.tenant_id
        pending = PendingPayload(
            lambda work: loop_shares.run(tenant_id, work, len),
            lambda: self._on_begin(key, pending),
            partial(operation.lifetime, context),
            partial(operation.execute_in_own_context, item, context),
        )
        self._waiting[key] = pending
        pending.on_end(lambda: self._remove_waiting(key, pending))
        return pending

    def _on_begin(self, key: Key, pending: PendingPayload) -> None:
        self._remove_waiting(key, pending)
        self._keep(key, pending)

    def _remove_waiting(self, key: Key, pending: PendingPayload) -> None:
        if self._waiting.get(key) is pending:
            del self._waiting[key]

    def _keep(self, key: Key, payload: Payload) -> None:
        self.cache.add(key, payload, asyncio.get_running_loop().time())
