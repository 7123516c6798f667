"""Subscriptions: each change is executed once for all who ask the same, and its bytes are sent to each of them.

A watcher is a position of its own, never a member of a queue: who is behind asks for the payload of an older item,
which is executed again when it has been forgotten. So a lone watcher and one of many get the same bytes. A payload is
forgotten soon, since it also holds what was true and visible when it was made.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, cast
from uuid import uuid4

import graphql
import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
)
from strawberry.types.execution import PreExecutionError

from app.api import faults
from app.api.context import Context
from app.api.documents import Documents
from app.api.watch_items import ImageChanged, MemberStatusChanged, WatchItem
from app.errors import ErrorCode, Unavailable

REMEMBERED = 1_024
FRESH_SECONDS = 1.0


class Refused(Exception):
    """The subscription can't start, or its source has ended with an error; what is published of it."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


class Streams:
    """Runs the subscriptions of one schema."""

    def __init__(self, schema: GraphQLSchema, documents: Documents) -> None:
        self._schema = schema
        self._documents = documents
        self._payloads: OrderedDict[tuple[Any, ...], tuple[float, asyncio.Task[bytes]]] = OrderedDict()

    def is_subscription(self, query: str, name: str | None) -> bool:
        return self._documents.subscription(query, name)

    async def run(
        self, query: str, variables: Mapping[str, Any] | None, name: str | None, context: Context
    ) -> AsyncGenerator[bytes, None]:
        """The JSON of the payload of each `next`. Raises Refused, and Unavailable when coming again may help."""
        operation = _Operation(self._schema, self._documents.parsed(query), dict(variables or {}), name)
        errors = self._documents.errors(self._schema, operation.document, name, operation.variables)
        if errors:
            raise _refused(errors, context, before=True)
        async with aclosing(await operation.source(context)) as items:
            group = (query, name, operation.key(), context.caller.tenant_id, context.caller.roles)
            while (item := await _next(items, context)) is not None:
                if not isinstance(item, (MemberStatusChanged, ImageChanged)):
                    yield await operation.execute(item, context)
                    continue
                yield await asyncio.shield(self._shared(group, operation, item, context))

    def _shared(
        self, group: tuple[Any, ...], operation: "_Operation", item: WatchItem, context: Context
    ) -> asyncio.Task[bytes]:
        """The payload of an item for all who ask the same at about the same time."""
        now, key = asyncio.get_running_loop().time(), (*group, item.cursor)
        made, task = self._payloads.get(key, (0.0, None))
        if task is None or now - made > FRESH_SECONDS or _has_failed(task):
            # A task of its own, since the watcher who happens to be first may go away meanwhile.
            task = asyncio.create_task(operation.execute_apart(item, context))
            task.add_done_callback(_has_failed)
            self._payloads[key] = now, task
            self._payloads.move_to_end(key)
            self._forget(now)
        return task

    def _forget(self, now: float) -> None:
        """The oldest come first: what is no longer fresh, and what is too much."""
        while self._payloads:
            made, _ = next(iter(self._payloads.values()))
            if now - made <= FRESH_SECONDS and len(self._payloads) <= REMEMBERED:
                return
            self._payloads.popitem(last=False)


class _Operation:
    """One subscription with its variables."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], name: str | None
    ) -> None:
        self._schema = schema
        self.document = document
        self.variables = variables
        self._name = name

    def key(self) -> str:
        """The variables in one spelling, without the one that tells where the watch begins."""
        of_position = {name for part in self.document.definitions for name in _position_variables(part)}
        asked = {name: value for name, value in self.variables.items() if name not in of_position}
        return json.dumps(asked, sort_keys=True)

    async def source(self, context: Context) -> AsyncGenerator[WatchItem, None]:
        open_source: Callable[[Any], Any] = cast(Any, graphql).create_source_event_stream
        opened = open_source(self._executor(context))
        opened = await opened if isawaitable(opened) else opened
        if isinstance(opened, ExecutionResult):
            raise _refused(opened.errors or [], context, before=False)
        return cast(AsyncGenerator[WatchItem, None], cast(AsyncIterable[WatchItem], opened))

    async def execute(self, item: WatchItem, context: Context) -> bytes:
        """The payload of one item. What its fields could not find out for want of the store is not told as null."""
        execute: Callable[[Any], Any] = cast(Any, graphql).execute_subscription_event
        result = execute(self._executor(context).build_per_event_executor(item))
        done = cast(ExecutionResult, await result if isawaitable(result) else result)
        await context.renew()
        errors = faults.published(cast(Any, done), context.request_id)
        if any((error.extensions or {}).get("code") == ErrorCode.UNAVAILABLE for error in errors):
            raise Unavailable("The store can't be reached just now.")
        payload: dict[str, Any] = {"data": done.data, "extensions": {"cursor": item.cursor}}
        if errors:
            payload["errors"] = faults.formatted(errors)
        return orjson.dumps(payload)

    async def execute_apart(self, item: WatchItem, context: Context) -> bytes:
        """The same in surroundings of its own, which nobody can cut short."""
        apart = Context(context.services, context.caller, uuid4().hex)
        try:
            return await self.execute(item, apart)
        finally:
            await apart.close()

    def _executor(self, context: Context) -> Any:
        executors: Any = Executor
        built = executors.build(
            self._schema,
            self.document,
            context_value=context,
            raw_variable_values=self.variables,
            operation_name=self._name,
        )
        if isinstance(built, list):
            raise _refused(cast(list[GraphQLError], built), context, before=False)
        return built


def _has_failed(task: asyncio.Task[bytes]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _next(items: AsyncGenerator[WatchItem, None], context: Context) -> WatchItem | None:
    """The next item; an error of the source is published as one of the whole operation."""
    try:
        return await anext(items, None)
    except Unavailable:
        raise
    except Exception as error:  # whatever ended the source, `published` logs what is a fault
        wrapped = GraphQLError(str(error), original_error=error)
        raise _refused([wrapped], context, before=False) from error


def _refused(errors: list[GraphQLError], context: Context, before: bool) -> Refused:
    result: Any = PreExecutionError(data=None, errors=errors) if before else ExecutionResult(None, errors)
    published = faults.published(result, context.request_id)
    if any((error.extensions or {}).get("code") in _COME_AGAIN for error in published):
        raise Unavailable("The watch can't be served just now.")
    return Refused(published)


_COME_AGAIN = (ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL_SERVER_ERROR)


def _position_variables(part: Any) -> set[str]:
    """Variables that stand as `after` at a root field of a subscription."""
    if not isinstance(part, OperationDefinitionNode):
        return set()
    fields = [field for field in part.selection_set.selections if isinstance(field, FieldNode)]
    arguments = [argument for field in fields for argument in field.arguments or ()]
    return {
        argument.value.name.value
        for argument in arguments
        if argument.name.value == "after" and isinstance(argument.value, VariableNode)
    }
