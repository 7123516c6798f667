"""Executes one subscription: opens its source, and makes the payload of each item."""

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
from app.api.operation.response_size import dump_json, limit_item
from app.api.plan.rendering import Root
from app.api.watch.items import WatchItem
from app.api.watch.position import positions
from app.documents.deadlines import MAX_ERRORS
from app.documents.selections import switch_variables
from app.errors import ErrorCode, Unavailable
from app.lifetime import Lifetime


class WatchFailed(Exception):
    """The subscription can't start, or its source has failed; `errors` are those for the client."""

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
        """The variables as canonical JSON, without those for the start position."""
        values = positions(self.document, self._name)
        of_position = {value.name.value for value in values if isinstance(value, VariableNode)}
        shared = {name: value for name, value in self.variables.items() if name not in of_position}
        return json.dumps(shared, sort_keys=True)

    async def source(self, context: Context) -> AsyncGenerator[WatchItem, None]:
        open_source: Callable[[Any], Any] = cast(Any, graphql).create_source_event_stream
        executor = self._executor(context)
        self.coerced = executor.variable_values.coerced
        self._require_switches(context)
        opened = open_source(executor)
        opened = await opened if isawaitable(opened) else opened
        if isinstance(opened, ExecutionResult):
            raise watch_failure(opened.errors or [], context, before=False)
        return cast(AsyncGenerator[WatchItem, None], cast(AsyncIterable[WatchItem], opened))

    def _require_switches(self, context: Context) -> None:
        """Refuse null for a variable of `@skip` or `@include` before the first item, because it affects all of them."""
        if name := next(
            (name for name in switch_variables(self.document) if self.coerced.get(name, False) is None), None
        ):
            error = GraphQLError(f"The variable '${name}' switches a field, so it can't be null.")
            raise watch_failure([error], context, before=False)

    def render(self, item: WatchItem, most_bytes: int) -> bytes | None:
        """The payload of an item, or None if graphql-core has to execute its selections."""
        if self.root is None:
            return None
        with suppress(Exception):  # graphql-core reports what can't be rendered
            data = {self.root.key: self.root.render(item)}
            return dump_json({"data": data, "extensions": {"cursor": item.cursor}}, most_bytes)

    async def execute(self, item: WatchItem, context: Context) -> bytes:
        """The payload of one item, executed by graphql-core. Raises Unavailable if the store can't be read."""
        result = self._begin(item, context)
        if isawaitable(result):
            result = await result
            await context.renew()
        return _payload(cast(ExecutionResult, result), item, context)

    async def execute_in_own_context(self, item: WatchItem, context: Context) -> bytes:
        """The payload, executed in a new context, because other watchers may outlive the one that requested it."""
        own_context = Context(context.services, context.caller, uuid4().hex)
        try:
            return await self.execute(item, own_context)
        finally:
            await own_context.close()

    def lifetime(self, context: Context) -> Lifetime:
        """The time limit for one item."""
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
            raise watch_failure(cast(list[GraphQLError], built), context, before=False)
        return built


def _payload(result: ExecutionResult, item: WatchItem, context: Context) -> bytes:
    limit_item(result, context.services.settings.max_response_bytes)
    errors = faults.client_errors(cast(Any, result), context.request_id)
    if any((error.extensions or {}).get("code") in _TEMPORARY for error in errors):
        raise Unavailable("The store can't be reached just now.")
    payload: dict[str, Any] = {"data": result.data, "extensions": {"cursor": item.cursor}}
    if errors:
        payload["errors"] = faults.format_errors(errors)
    return orjson.dumps(payload)


def watch_failure(errors: list[GraphQLError], context: Context, before: bool) -> WatchFailed:
    result: Any = PreExecutionError(data=None, errors=errors) if before else ExecutionResult(None, errors)
    errors_for_client = faults.client_errors(result, context.request_id)
    if any((error.extensions or {}).get("code") in _RETRYABLE for error in errors_for_client):
        raise Unavailable("The watch can't be served just now.")
    return WatchFailed(errors_for_client)


_TEMPORARY = (ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT)
_RETRYABLE = (*_TEMPORARY, ErrorCode.INTERNAL_SERVER_ERROR)
