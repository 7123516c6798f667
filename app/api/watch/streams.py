"""Subscriptions: each change is rendered once for all who ask the same, and its bytes are sent to each of them.

A watcher is a position of its own, never a member of a queue: who is behind asks for the payload of an older item,
which is made again when it has been forgotten. So a lone watcher and one of many get the same bytes.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from time import perf_counter
from typing import Any

from graphql import GraphQLError

from app.api.operation.context import Context
from app.api.operation.loop_share import Leaving
from app.api.plan.rendering import Roots
from app.api.watch.items import ImageChanged, ImageState, MemberState, MemberStatusChanged, WatchItem
from app.api.watch.operation import WatchOperation, refused
from app.api.watch.payload import in_time
from app.api.watch.payload_cache import Payloads
from app.api.watch.position import begins_at_a_cursor
from app.documents.cache import TenantCache
from app.documents.documents import Documents
from app.documents.selections import find_operation
from app.documents.unplanned import Unplanned
from app.errors import Unavailable
from app.lifetime import Lifetime

SENT_IN_A_ROW = 100
# What is rendered for one watch alone is counted when it amounts to so much, with so much for the sending of each.
COUNTED_SECONDS, SENDING_SECONDS = 0.002, 20e-6
# Takes what an item of a snapshot costs: 0, or the seconds until there is something to take it from.
Toll = Callable[[], float]


class Streams:
    """Runs the subscriptions of one schema."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.payloads = Payloads()

        def roots(query: str, name: str | None) -> Roots:
            document = documents.parsed(query)
            return Roots(documents.schema, document, find_operation(document, name))

        self._roots = TenantCache(roots, documents.memory)

    def is_subscription(self, query: str, name: str | None) -> bool:
        return self._documents.subscription(query, name)

    def is_resumed(self, query: str, name: str | None, variables: Mapping[str, Any] | None) -> bool:
        """Whether the watch goes on from a cursor."""
        return begins_at_a_cursor(self._documents.parsed(query), name, variables or {})

    async def run(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        name: str | None,
        context: Context,
        admit: Callable[[], Lifetime] | None = None,
        toll: Toll | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The JSON of the payload of each `next`; `admit` lets it start. Raises Refused, and Unavailable when coming
        again may help. It ends when the process is about to."""
        operation = WatchOperation(self._documents.schema, self._documents.parsed(query), dict(variables or {}), name)
        errors = self._documents.errors(operation.document, name, operation.variables)
        if errors:
            raise refused(errors, context, before=True)
        life = operation.lifetime(context) if admit is None else admit()
        async with aclosing(await in_time(life, operation.source(context))) as items:
            with suppress(Unplanned):
                operation.root = self._roots(query, name).root(operation.coerced)
            group = (query, name, operation.key(), context.caller.tenant_id, context.caller.roles)
            began, sent = asyncio.get_running_loop().time(), 0
            alone = Alone(operation, context, toll)
            with suppress(Leaving):
                while (item := await _next(items, context)) is not None:
                    if not isinstance(item, (MemberStatusChanged, ImageChanged)):
                        yield await alone.payload(item)
                        continue
                    payload = self.payloads.shared(group, operation, item, context, began)
                    yield payload if isinstance(payload, bytes) else await payload.joined()
                    sent += 1
                    if sent % SENT_IN_A_ROW == 0:
                        # What others have made costs no wait, and who is far behind must not hold up the rest.
                        await asyncio.sleep(0)


class Alone:
    """The payloads that one watch has for itself: bookmarks, and the items of its snapshot, which are paid for."""

    def __init__(self, operation: WatchOperation, context: Context, toll: Toll | None) -> None:
        self._operation = operation
        self._context = context
        self._turns = context.services.turns
        self._toll = toll
        self._uncounted = 0.0

    async def payload(self, item: WatchItem) -> bytes:
        if self._toll is not None and isinstance(item, (MemberState, ImageState)):
            while delay := self._toll():
                await self._turns.rest(delay)
        began = perf_counter()
        if (rendered := self._operation.rendered(item, self._context.services.settings.max_response_bytes)) is not None:
            await self._count(perf_counter() - began + SENDING_SECONDS)
            return rendered
        return await self._turns.take(self._context.caller.tenant_id, partial(self._executed, item), len)

    async def _executed(self, item: WatchItem) -> bytes:
        operation, context = self._operation, self._context
        made = await in_time(operation.lifetime(context), operation.execute(item, context))
        await asyncio.sleep(0)
        return made

    async def _count(self, seconds: float) -> None:
        self._uncounted += seconds
        if self._uncounted >= COUNTED_SECONDS:
            tenant_id = self._context.caller.tenant_id
            self._turns.spend(tenant_id, self._uncounted)
            self._uncounted = 0.0
            await asyncio.sleep(0)
            await self._turns.earned(tenant_id)


async def _next(items: AsyncGenerator[WatchItem, None], context: Context) -> WatchItem | None:
    """The next item; an error of the source is published as one of the whole operation."""
    try:
        return await anext(items, None)
    except (Unavailable, Leaving):
        raise
    except Exception as error:  # whatever ended the source, `published` logs what is a fault
        wrapped = GraphQLError(str(error), original_error=error)
        raise refused([wrapped], context, before=False) from error
