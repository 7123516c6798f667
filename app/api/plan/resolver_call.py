"""Calls the resolver of a single root field directly, and renders its result: mutations and `offerEvents`.

Everything that may require a fallback is checked before the call, so that a resolver runs only once.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, cast

from graphql import (
    Executor,
    GraphQLError,
    OperationType,
    VariableNode,
    get_argument_values,
    get_variable_values,
)
from strawberry.types.execution import PreExecutionError

from app.api.operation.context import Context
from app.api.operation.response_size import dump_json, limit_mutation
from app.api.plan.coercion import Variables
from app.api.plan.input_objects import argument_converter
from app.api.plan.rendering import Root, Roots, definition_of
from app.documents.operation import Operation
from app.documents.unplanned import ExecutedWithErrors, Unplanned
from app.errors import ResponseTooLarge, TimedOut

# Root fields of queries that need more than one statement.
QUERIES = {"offerEvents"}
# The root field, and its coerced arguments.
RootCall = tuple[Root, Mapping[str, Any]]


@dataclass(slots=True)
class Info:
    """The part of Strawberry's `Info` that resolvers of root fields use."""

    context: Context
    field_name: str


class ResolverOperation:
    """An operation of one document whose only root field is resolved directly."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._roots = Roots(operation.schema, operation.document, operation.definition)
        self._plain = _plain(operation)
        self._converters: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {}

    @property
    def is_mutation(self) -> bool:
        return self._operation.definition.operation is OperationType.MUTATION

    def call(self, variables: Mapping[str, Any]) -> "ResolverCall":
        """The resolver call for these variables. Raises only Unplanned."""
        try:
            self._operation.require_allowed((*map(_size, variables.values()), tuple(variables)), variables)
            return self._call(variables)
        except Unplanned:
            raise
        except Exception as error:  # graphql-core finds the same error in the input, and reports its location
            raise Unplanned("refused") from error

    def _call(self, variables: Mapping[str, Any]) -> "ResolverCall":
        root, arguments = self._plain_arguments(variables) or self._coerced_arguments(variables)
        return ResolverCall(self, root, _resolver(root), self._converter(root)(arguments), variables)

    def _plain_arguments(self, variables: Mapping[str, Any]) -> RootCall | None:
        """The arguments if each is a variable of a common type; None if graphql-core must coerce them."""
        if self._plain is None:
            return None
        try:
            values = self._plain.coerce(variables)
        except Unplanned:
            return None
        root = self._roots.root(values)
        nodes = {one.name.value: one.value for one in root.node.arguments or ()}
        if not all(isinstance(value, VariableNode) for value in nodes.values()) or len(nodes) < len(root.field.args):
            return None
        return root, {name: values[cast(VariableNode, value).name.value] for name, value in nodes.items()}

    def _coerced_arguments(self, variables: Mapping[str, Any]) -> RootCall:
        operation = self._operation
        values: Any = get_variable_values(
            operation.schema, operation.definition.variable_definitions or (), dict(variables), max_errors=1
        )
        if isinstance(values, list):
            raise Unplanned("refused")
        root = self._roots.root(values.coerced)
        return root, get_argument_values(root.field, root.node, values)

    def _converter(self, root: Root) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        name = root.node.name.value
        if name not in self._converters:
            self._converters[name] = argument_converter(root.field)
        return self._converters[name]

    async def complete_with_graphql(
        self, variables: Mapping[str, Any], context: Context, outcome: Any, error: Exception | None
    ) -> Any:
        """Have graphql-core complete the value that a resolver returned, or report the error that it raised."""

        def reuse_outcome(resolve: Callable[..., Any], source: Any, info: Any, **arguments: Any) -> Any:
            if info.path.prev is not None:
                return resolve(source, info, **arguments)
            if error is not None:
                raise error
            return outcome

        executor: Any = cast(Any, Executor).build(
            self._operation.schema,
            self._operation.document,
            context_value=context,
            raw_variable_values=dict(variables),
            operation_name=self._operation.name,
            middleware=[reuse_outcome],
        )
        result = executor.execute_operation()
        return await result if isawaitable(result) else result


@dataclass(slots=True)
class ResolverCall:
    """One call of a resolver, with its arguments."""

    operation: ResolverOperation
    root: Root
    resolve: Callable[..., Any]
    arguments: dict[str, Any]
    variables: Mapping[str, Any]

    async def data(self, context: Context) -> bytes:
        """The JSON of `data`. Raises only Unplanned, TimedOut and ResponseTooLarge."""
        try:
            return self._render(await self._resolve(context), context)
        except (TimedOut, ResponseTooLarge):
            raise
        except Exception as error:  # graphql-core finds the same error, and reports its location
            raise Unplanned("refused") from error

    async def data_once(self, context: Context) -> bytes:
        """The JSON of `data` of a call that must not be repeated. Raises only ExecutedWithErrors."""
        outcome = raised = None
        try:
            outcome = await self._resolve(context)
        except Exception as error:  # noqa: BLE001  # graphql-core reports it below
            raised = error
        if raised is None:
            with suppress(Exception):  # graphql-core reports below what can't be rendered
                return self._render(outcome, context)
        try:
            result = await self.operation.complete_with_graphql(self.variables, context, outcome, raised)
            limit_mutation(result, context.services.settings.max_response_bytes)
        except Exception as error:  # noqa: BLE001  # as Strawberry does for errors outside of graphql-core
            result = PreExecutionError(data=None, errors=[GraphQLError(str(error), original_error=error)])
        raise ExecutedWithErrors(result)

    async def _resolve(self, context: Context) -> Any:
        return await self.resolve(None, info=Info(context, self.root.node.name.value), **self.arguments)

    def _render(self, outcome: Any, context: Context) -> bytes:
        return dump_json({self.root.key: self.root.render(outcome)}, context.services.settings.max_response_bytes)


def _plain(operation: Operation) -> Variables | None:
    try:
        return Variables(operation.schema, operation.definition)
    except Unplanned:
        return None


def _resolver(root: Root) -> Callable[..., Any]:
    definition = definition_of(root.field)
    resolver = definition.base_resolver
    takes_both = resolver and resolver.self_parameter and resolver.info_parameter
    if not takes_both or not resolver.is_async or definition.extensions:
        raise Unplanned("resolver")
    return cast(Callable[..., Any], resolver.wrapped_func)


def _size(value: Any) -> Any:
    """The part of a variable's value that the limits depend on: a number, and the lengths of lists."""
    if isinstance(value, list):
        return (len(cast(list[Any], value)),)
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value).items()
        return tuple((name, len(cast(list[Any], one))) for name, one in fields if isinstance(one, list))
    return value if value is None or type(value) is int else "another"
