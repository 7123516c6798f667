"""One subscription with its variables: its source, and the payload of each item, rendered where that can be."""

import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import suppress
from inspect import isawaitable
from typing import Any, cast
from uuid import uuid4

import graphql
import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLError,
    GraphQLSchema,
    VariableNode,
)
from strawberry.types.execution import PreExecutionError

from app.api.operation import faults
from app.api.operation.context import Context
from app.api.operation.response_size import limit_item, written
from app.api.plan.rendering import Root
from app.api.watch.items import WatchItem
from app.api.watch.position import positions
from app.documents.deadlines import MAX_ERRORS
from app.documents.selections import switch_variables
from app.errors import ErrorCode, Unavailable
from app.lifetime import Lifetime


class Refused(Exception):
    """The subscription can't start, or its source has ended with an error; what is published of it."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


class WatchOperation:
    """One subscription with its variables."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], name: str | None
    ) -> None:
        self._schema = schema
        self.document = document
        self.variables = variables
        self._name = name
        self.coerced: Mapping[str, Any] = {}
        self.root: Root | None = None

    def key(self) -> str:
        """The variables in one spelling, without the one that tells where the watch begins."""
        values = positions(self.document, self._name)
        of_position = {value.name.value for value in values if isinstance(value, VariableNode)}
        asked = {name: value for name, value in self.variables.items() if name not in of_position}
        return json.dumps(asked, sort_keys=True)

    async def source(self, context: Context) -> AsyncGenerator[WatchItem, None]:
        open_source: Callable[[Any], Any] = cast(Any, graphql).create_source_event_stream
        executor = self._executor(context)
        self.coerced = executor.variable_values.coerced
        self._require_switches(context)
        opened = open_source(executor)
        opened = await opened if isawaitable(opened) else opened
        if isinstance(opened, ExecutionResult):
            raise refused(opened.errors or [], context, before=False)
        return cast(AsyncGenerator[WatchItem, None], cast(AsyncIterable[WatchItem], opened))

    def _require_switches(self, context: Context) -> None:
        """What `@skip` and `@include` hang on is the same for every item, so it is refused before the first."""
        if name := next(
            (name for name in switch_variables(self.document) if self.coerced.get(name, False) is None), None
        ):
            error = GraphQLError(f"The variable '${name}' switches a field, so it can't be null.")
            raise refused([error], context, before=False)

    def rendered(self, item: WatchItem, most_bytes: int) -> bytes | None:
        """The payload of an item, if all that is asked of it is at hand."""
        if self.root is None:
            return None
        with suppress(Exception):  # what can't be rendered is told in the words of GraphQL
            data = {self.root.key: self.root.render(item)}
            return written({"data": data, "extensions": {"cursor": item.cursor}}, most_bytes)

    async def execute(self, item: WatchItem, context: Context) -> bytes:
        """The payload of one item that can't be rendered. What its fields could not find out for want of the store is
        not told as null."""
        result = self._begin(item, context)
        if isawaitable(result):
            result = await result
            await context.renew()
        return _payload(cast(ExecutionResult, result), item, context)

    async def execute_apart(self, item: WatchItem, context: Context) -> bytes:
        """The payload, made in surroundings of its own: its watcher may go away meanwhile, and others wait for it."""
        apart = Context(context.services, context.caller, uuid4().hex)
        try:
            return await self.execute(item, apart)
        finally:
            await apart.close()

    def lifetime(self, context: Context) -> Lifetime:
        """How long one item may take."""
        return Lifetime("item of the watch", context.services.settings.watch_item_seconds)

    def _begin(self, item: WatchItem, context: Context) -> Any:
        execute: Callable[[Any], Any] = cast(Any, graphql).execute_subscription_event
        return execute(self._executor(context).build_per_event_executor(item))

    def _executor(self, context: Context) -> Any:
        executors: Any = Executor
        built = executors.build(
            self._schema,
            self.document,
            context_value=context,
            raw_variable_values=self.variables,
            operation_name=self._name,
            max_coercion_errors=MAX_ERRORS,
            hide_suggestions=not context.services.settings.introspection,
        )
        if isinstance(built, list):
            raise refused(cast(list[GraphQLError], built), context, before=False)
        return built


def _payload(result: ExecutionResult, item: WatchItem, context: Context) -> bytes:
    limit_item(result, context.services.settings.max_response_bytes)
    errors = faults.published(cast(Any, result), context.request_id)
    if any((error.extensions or {}).get("code") in _NOT_YET for error in errors):
        raise Unavailable("The store can't be reached just now.")
    payload: dict[str, Any] = {"data": result.data, "extensions": {"cursor": item.cursor}}
    if errors:
        payload["errors"] = faults.formatted(errors)
    return orjson.dumps(payload)


def refused(errors: list[GraphQLError], context: Context, before: bool) -> Refused:
    result: Any = PreExecutionError(data=None, errors=errors) if before else ExecutionResult(None, errors)
    published = faults.published(result, context.request_id)
    if any((error.extensions or {}).get("code") in _COME_AGAIN for error in published):
        raise Unavailable("The watch can't be served just now.")
    return Refused(published)


_NOT_YET = (ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT)
_COME_AGAIN = (*_NOT_YET, ErrorCode.INTERNAL_SERVER_ERROR)
