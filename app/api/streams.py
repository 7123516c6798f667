"""Subscriptions: each change is rendered once for all who ask the same, and its bytes are sent to each of them.

A watcher is a position of its own, never a member of a queue: who is behind asks for the payload of an older item,
which is made again when it has been forgotten. So a lone watcher and one of many get the same bytes. A payload is
forgotten soon, since it also holds what was true and visible when it was made.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLSchema,
)

from app.api.context import Context
from app.api.documents import Documents
from app.api.plan.rendering import Roots
from app.api.plan.selections import operation_of
from app.api.plan.unplanned import Unplanned
from app.api.remembered import Remembered
from app.api.watch_items import ImageChanged, MemberStatusChanged, WatchItem
from app.api.watch_operation import WatchOperation, refused
from app.api.watch_payload import Payload, has_failed, in_time
from app.api.watch_position import begins_at_a_cursor
from app.errors import Unavailable
from app.lifetime import Lifetime

REMEMBERED = 1_024
FRESH_SECONDS = 1.0
SENT_IN_A_ROW = 100


class Streams:
    """Runs the subscriptions of one schema."""

    def __init__(self, schema: GraphQLSchema, documents: Documents) -> None:
        self._schema = schema
        self._documents = documents
        self._payloads: OrderedDict[tuple[Any, ...], tuple[float, Payload]] = OrderedDict()

        @Remembered
        def roots(query: str, name: str | None) -> Roots:
            document = documents.parsed(query)
            return Roots(schema, document, operation_of(document, name))

        self._roots = roots

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
    ) -> AsyncGenerator[bytes, None]:
        """The JSON of the payload of each `next`; `admit` lets it start. Raises Refused, and Unavailable when coming
        again may help."""
        operation = WatchOperation(self._schema, self._documents.parsed(query), dict(variables or {}), name)
        errors = self._documents.errors(self._schema, operation.document, name, operation.variables)
        if errors:
            raise refused(errors, context, before=True)
        life = operation.lifetime(context) if admit is None else admit()
        async with aclosing(await in_time(life, operation.source(context))) as items:
            with suppress(Unplanned):
                operation.root = self._roots(query, name).root(operation.coerced)
            group = (query, name, operation.key(), context.caller.tenant_id, context.caller.roles)
            began, sent = asyncio.get_running_loop().time(), 0
            while (item := await _next(items, context)) is not None:
                if not isinstance(item, (MemberStatusChanged, ImageChanged)):
                    yield await in_time(operation.lifetime(context), operation.execute(item, context))
                    continue
                payload = self._shared(group, operation, item, context, began)
                yield payload if isinstance(payload, bytes) else await payload.joined()
                sent += 1
                if sent % SENT_IN_A_ROW == 0:
                    # A payload that others have made costs no wait, and who is far behind must not hold up the rest.
                    await asyncio.sleep(0)

    def _shared(
        self, group: tuple[Any, ...], operation: WatchOperation, item: WatchItem, context: Context, began: float
    ) -> Payload:
        """The payload of an item for all who ask the same at about the same time, and not from before this watch."""
        now, key = asyncio.get_running_loop().time(), (*group, item.cursor)
        made, payload = self._payloads.get(key, (0.0, None))
        if payload is None or made < max(began, now - FRESH_SECONDS) or has_failed(payload):
            payload = operation.execute_apart(item, context)
            self._payloads[key] = now, payload
            self._payloads.move_to_end(key)
            self._forget(now)
        return payload

    def _forget(self, now: float) -> None:
        """The oldest come first: what is no longer fresh, and what is too much."""
        while self._payloads:
            made, _ = next(iter(self._payloads.values()))
            if now - made <= FRESH_SECONDS and len(self._payloads) <= REMEMBERED:
                return
            self._payloads.popitem(last=False)


async def _next(items: AsyncGenerator[WatchItem, None], context: Context) -> WatchItem | None:
    """The next item; an error of the source is published as one of the whole operation."""
    try:
        return await anext(items, None)
    except Unavailable:
        raise
    except Exception as error:  # whatever ended the source, `published` logs what is a fault
        wrapped = GraphQLError(str(error), original_error=error)
        raise refused([wrapped], context, before=False) from error
