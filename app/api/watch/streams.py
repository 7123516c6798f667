"""Runs subscriptions, and renders each change once for all watchers with the same operation.

A watcher is a position in the log, not a member of a queue: a slow one requests the payloads of older items, which are
made again if they have expired from the cache.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from time import perf_counter
from typing import Any

from graphql import GraphQLError

from app.api.operation.context import Context
from app.api.operation.loop_share import ShuttingDown
from app.api.plan.rendering import Roots
from app.api.watch.items import ImageChanged, ImageState, MemberState, MemberStatusChanged, WatchItem
from app.api.watch.operation import WatchOperation, watch_failure
from app.api.watch.payload import in_time
from app.api.watch.payload_cache import Payloads
from app.api.watch.position import has_cursor
from app.documents.cached_function import CachedFunction
from app.documents.documents import Documents
from app.documents.limits import too_complex
from app.documents.selections import find_operation
from app.documents.unplanned import Unplanned
from app.errors import Unavailable
from app.lifetime import Lifetime

SENT_BEFORE_YIELD = 100
# Those of a cursor and a few IDs have a tenth of it.
MAX_VARIABLE_CHARACTERS = 5_000
# Rendering for one watch is charged in steps of this size, with an allowance for sending each payload.
CHARGED_SECONDS, SENDING_SECONDS = 0.002, 20e-6
# Charges an item of a snapshot; returns 0, or the seconds to wait until the budget allows it.
Toll = Callable[[], float]


class Streams:
    """Runs the subscriptions of one schema."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.payloads = Payloads()

        def roots(query: str, name: str | None) -> Roots:
            document = documents.parse(query)
            return Roots(documents.schema, document, find_operation(document, name))

        self._roots = CachedFunction(roots, documents.cache)

    def is_subscription(self, query: str, name: str | None) -> bool:
        return self._documents.is_subscription(query, name)

    def is_resumed(self, query: str, name: str | None, variables: Mapping[str, Any] | None) -> bool:
        """Whether the watch resumes from a cursor."""
        return has_cursor(self._documents.parse(query), name, variables or {})

    async def run(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        name: str | None,
        context: Context,
        admit: Callable[[], Lifetime] | None = None,
        toll: Toll | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The JSON of each payload, until the process shuts down; `admit` is called before the start.

        Raises WatchFailed, and Unavailable if a retry may succeed.
        """
        operation = WatchOperation(self._documents.schema, self._documents.parse(query), dict(variables or {}), name)
        errors = _too_large(operation.variables) or self._documents.errors(query, name, operation.variables)
        if errors:
            raise watch_failure(errors, context, before=True)
        life = operation.lifetime(context) if admit is None else admit()
        async with aclosing(await in_time(life, operation.source(context))) as items:
            with suppress(Unplanned):
                operation.root = self._roots(query, name).root(operation.coerced)
            group = (query, name, operation.key(), context.caller.tenant_id, context.caller.roles)
            began, sent = asyncio.get_running_loop().time(), 0
            unshared = UnsharedPayloads(operation, context, toll)
            with suppress(ShuttingDown):
                while (item := await _next(items, context)) is not None:
                    if not isinstance(item, (MemberStatusChanged, ImageChanged)):
                        yield await unshared.payload(item)
                        continue
                    payload = self.payloads.shared_payload(group, operation, item, context, began)
                    yield payload if isinstance(payload, bytes) else await payload.wait()
                    sent += 1
                    if sent % SENT_BEFORE_YIELD == 0:
                        # A watcher that is far behind finds cached payloads, and must not block the event loop.
                        await asyncio.sleep(0)


def _too_large(variables: Mapping[str, Any]) -> list[GraphQLError]:
    """The error for more than a watch may hold for as long as it is open, whether it uses the variables or not."""
    if (size := len(repr(variables))) <= MAX_VARIABLE_CHARACTERS:
        return []
    message = f"The variables of a watch have {size} characters, and the limit is {MAX_VARIABLE_CHARACTERS}."
    return [too_complex(message)]


class UnsharedPayloads:
    """Makes the payloads that are not shared: bookmarks, and items of a snapshot, which are charged."""

    def __init__(self, operation: WatchOperation, context: Context, toll: Toll | None) -> None:
        self._operation = operation
        self._context = context
        self._loop_shares = context.services.loop_shares
        self._toll = toll
        self._uncharged = 0.0

    async def payload(self, item: WatchItem) -> bytes:
        if self._toll is not None and isinstance(item, (MemberState, ImageState)):
            while delay := self._toll():
                await self._loop_shares.pause(delay)
        began = perf_counter()
        if (rendered := self._operation.render(item, self._context.services.settings.max_response_bytes)) is not None:
            await self._charge(perf_counter() - began + SENDING_SECONDS)
            return rendered
        return await self._loop_shares.run(self._context.caller.tenant_id, partial(self._execute, item), len)

    async def _execute(self, item: WatchItem) -> bytes:
        operation, context = self._operation, self._context
        made = await in_time(operation.lifetime(context), operation.execute(item, context))
        await asyncio.sleep(0)
        return made

    async def _charge(self, seconds: float) -> None:
        self._uncharged += seconds
        if self._uncharged >= CHARGED_SECONDS:
            tenant_id = self._context.caller.tenant_id
            self._loop_shares.charge(tenant_id, self._uncharged)
            self._uncharged = 0.0
            await asyncio.sleep(0)
            await self._loop_shares.wait_for_balance(tenant_id)


async def _next(items: AsyncGenerator[WatchItem, None], context: Context) -> WatchItem | None:
    """The next item; an error of the source is published as one of the whole operation."""
    try:
        return await anext(items, None)
    except (Unavailable, ShuttingDown):
        raise
    except Exception as error:  # `client_errors` logs it if it is unexpected
        wrapped = GraphQLError(str(error), original_error=error)
        raise watch_failure([wrapped], context, before=False) from error
