"""Operations of one root field that its own resolver carries out, and whose outcome is rendered: mutations, the log.

All that may keep one from the short way is found out before its resolver is called, so that it is called once.
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
from app.api.operation.response_size import limit_mutation, written
from app.api.plan.coercion import Variables
from app.api.plan.input_objects import arguments_of
from app.api.plan.rendering import Root, Roots, definition_of
from app.documents.operation import Operation
from app.documents.unplanned import ExecutedWithErrors, Unplanned
from app.errors import ResponseTooLarge, TimedOut

# Of the root fields of queries those that ask the store in no one statement.
QUERIES = {"offerEvents"}
# The root field, and its arguments as GraphQL coerces them.
Given = tuple[Root, Mapping[str, Any]]


@dataclass(slots=True)
class Info:
    """What the resolvers of root fields use of Strawberry's `Info`."""

    context: Context
    field_name: str


class Resolved:
    """One such operation of one document."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._roots = Roots(operation.schema, operation.document, operation.definition)
        self._plain = _plain(operation)
        self._takers: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {}

    @property
    def is_mutation(self) -> bool:
        return self._operation.definition.operation is OperationType.MUTATION

    def call(self, variables: Mapping[str, Any]) -> "Call":
        """The call that these variables ask for. Raises Unplanned, and nothing else."""
        try:
            self._operation.require_allowed((*map(_size, variables.values()), tuple(variables)), variables)
            return self._call(variables)
        except Unplanned:
            raise
        except Exception as error:  # whatever is wrong with the input, the long way finds it too, and says where
            raise Unplanned("refused") from error

    def _call(self, variables: Mapping[str, Any]) -> "Call":
        root, given = self._plainly_given(variables) or self._given(variables)
        return Call(self, root, _resolver(root), self._taker(root)(given), variables)

    def _plainly_given(self, variables: Mapping[str, Any]) -> Given | None:
        """The arguments, where each is a variable with a plain value; None leaves them to GraphQL's own coercion."""
        if self._plain is None:
            return None
        try:
            values = self._plain.values(variables)
        except Unplanned:
            return None
        root = self._roots.root(values)
        given = {one.name.value: one.value for one in root.node.arguments or ()}
        if not all(isinstance(value, VariableNode) for value in given.values()) or len(given) < len(root.field.args):
            return None
        return root, {name: values[cast(VariableNode, value).name.value] for name, value in given.items()}

    def _given(self, variables: Mapping[str, Any]) -> Given:
        operation = self._operation
        values: Any = get_variable_values(
            operation.schema, operation.definition.variable_definitions or (), dict(variables), max_errors=1
        )
        if isinstance(values, list):
            raise Unplanned("refused")
        root = self._roots.root(values.coerced)
        return root, get_argument_values(root.field, root.node, values)

    def _taker(self, root: Root) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        name = root.node.name.value
        if name not in self._takers:
            self._takers[name] = arguments_of(root.field)
        return self._takers[name]

    async def completed(
        self, variables: Mapping[str, Any], context: Context, outcome: Any, error: Exception | None
    ) -> Any:
        """What GraphQL itself makes of what a resolver has returned or raised."""

        def known(resolve: Callable[..., Any], source: Any, info: Any, **arguments: Any) -> Any:
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
            middleware=[known],
        )
        result = executor.execute_operation()
        return await result if isawaitable(result) else result


@dataclass(slots=True)
class Call:
    """One call of a resolver, with its arguments."""

    operation: Resolved
    root: Root
    resolve: Callable[..., Any]
    arguments: dict[str, Any]
    variables: Mapping[str, Any]

    async def data(self, context: Context) -> bytes:
        """The JSON of `data`. Raises Unplanned, TimedOut or ResponseTooLarge, and nothing else."""
        try:
            return self._rendered(await self._outcome(context), context)
        except (TimedOut, ResponseTooLarge):
            raise
        except Exception as error:  # whatever it is, the long way finds it too, and says where
            raise Unplanned("refused") from error

    async def data_of_once(self, context: Context) -> bytes:
        """The same of a call that can't be made again. Raises ExecutedWithErrors, and nothing else."""
        outcome = raised = None
        try:
            outcome = await self._outcome(context)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told in the words of GraphQL
            raised = error
        if raised is None:
            with suppress(Exception):  # what can't be rendered is told in the words of GraphQL too
                return self._rendered(outcome, context)
        try:
            result = await self.operation.completed(self.variables, context, outcome, raised)
            limit_mutation(result, context.services.settings.max_response_bytes)
        except Exception as error:  # noqa: BLE001  # as Strawberry has it of what GraphQL did not catch
            result = PreExecutionError(data=None, errors=[GraphQLError(str(error), original_error=error)])
        raise ExecutedWithErrors(result)

    async def _outcome(self, context: Context) -> Any:
        return await self.resolve(None, info=Info(context, self.root.node.name.value), **self.arguments)

    def _rendered(self, outcome: Any, context: Context) -> bytes:
        return written({self.root.key: self.root.render(outcome)}, context.services.settings.max_response_bytes)


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
    """What the limits may see of the value of a variable: how large it is itself, and how long the lists in it are."""
    if isinstance(value, list):
        return (len(cast(list[Any], value)),)
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value).items()
        return tuple((name, len(cast(list[Any], one))) for name, one in fields if isinstance(one, list))
    return value if value is None or type(value) is int else "another"
