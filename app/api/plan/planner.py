"""Compiles each query once to a single SQL statement, whose result is the JSON of the response.

Operations that can't be planned, or may be invalid, fall back to graphql-core, which gives the same response.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import graphql
import orjson
import structlog
from graphql import GraphQLError, OperationType

from app import caches
from app.api.operation.context import Context, Services
from app.api.plan.arguments import PlaceBinding
from app.api.plan.build import Builder
from app.api.plan.coercion import Variables
from app.api.plan.resolver_call import QUERIES, ResolverCall, ResolverOperation
from app.documents.cached_function import CachedFunction
from app.documents.documents import Documents
from app.documents.introspection import ROOTS
from app.documents.operation import Operation
from app.documents.selections import Selections, root_field_names, switch_variables
from app.documents.unplanned import Unplanned
from app.errors import Overloaded, Problem, Refusal, ResponseTooLarge, TimedOut
from app.model import Caller
from app.store.plan.answer import Answer, Reader, StatementFailed
from app.store.plan.placeholders import WATCH_CURSOR
from app.store.plan.statement import Statement, compile_statement
from app.store.plan.tree import Parts
from app.store.plan.windows import Selector, parameters, shape

logger: Any = structlog.get_logger("plan")
MAX_STATEMENTS = 8
_MARK = WATCH_CURSOR.encode()


class BoundQuery(NamedTuple):
    """The statement of a query, with the values of its parameters."""

    statement: Statement
    values: Mapping[str, Any]


class IntrospectionResult:
    """The result of a pure introspection query, which is the same for every caller and computed once."""

    def __init__(self, operation: Operation) -> None:
        operation.require_allowed((), {})
        execute: Callable[..., Any] = cast(Any, graphql).execute_sync
        result = execute(operation.schema, operation.document, operation_name=operation.name)
        if result.errors:
            raise Unplanned("refused")
        self.data = orjson.dumps(result.data)
        self.weight = len(self.data)


class PlannedQuery:
    """One query of one document, with the trees and statements that have been compiled for it."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self.variables = Variables(operation.schema, operation.definition)
        self._switches = switch_variables(operation.document)
        self._trees: dict[tuple[Any, ...], tuple[Parts, list[PlaceBinding]]] = {}
        self._statements: dict[tuple[Any, ...], Statement] = {}

    def require_allowed(self, values: Mapping[str, Any]) -> None:
        """Check the limits, which depend on the page sizes. Raises Unplanned."""
        self._operation.require_allowed(tuple([_size(values.get(name)) for name in self.variables.sizes]), values)

    def tree(self, values: Mapping[str, Any]) -> tuple[Parts, list[PlaceBinding]]:
        """The tree after `@skip` and `@include`, and the bindings of its parameters."""
        switches = self._switch_values(values)
        found = self._trees.get(switches)
        if found is None:
            schema, document = self._operation.schema, self._operation.document
            builder = Builder(schema, Selections(schema, document, values))
            found = builder.root(self._operation.definition), builder.bindings
            caches.put(self._trees, switches, found, MAX_STATEMENTS)
        return found

    def statement(
        self,
        values: Mapping[str, Any],
        parts: Parts,
        is_operator: bool,
        selectors: tuple[Selector, ...],
        reader: Reader,
    ) -> Statement:
        key = self._switch_values(values), is_operator, shape(selectors)
        found = self._statements.get(key)
        if found is None:
            found = compile_statement(parts, is_operator, selectors, reader.dialect)
            caches.put(self._statements, key, found, MAX_STATEMENTS)
        return found

    def _switch_values(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values.get(switch) for switch in self._switches)


class Planner:
    """Plans the operations of one schema, and executes them against one store."""

    def __init__(self, documents: Documents, services: Services, reader: Reader) -> None:
        self._services = services
        self._reader = reader
        self._pattern = services.settings.tenant_id_pattern
        self.answered = 0
        self.fallbacks: Counter[str] = Counter()

        def plan(text: str, name: str | None) -> PlannedQuery | ResolverOperation | IntrospectionResult | str:
            try:
                return _plan(Operation(documents, text, name))
            except Unplanned as reason:
                return str(reason)

        self._planned = CachedFunction(plan, documents.cache)

    async def answer(
        self,
        text: str,
        name: str | None,
        variables: Mapping[str, Any] | None,
        caller: Caller | None,
        acting: str | None = None,
    ) -> bytes | None:
        """The JSON of `data`; None if graphql-core must execute the operation, of which nothing has been executed yet.

        `acting` is the ID of a request that may run mutations. Raises TimedOut, Overloaded, ResponseTooLarge, and
        ExecutedWithErrors after an execution with errors.
        """
        try:
            planned = self._planned(text, name)
            if isinstance(planned, IntrospectionResult):
                self.answered += 1
                return planned.data
            if caller is None:
                raise Unplanned("anonymous")
            found = await self._read_or_call(planned, variables or {}, caller, acting)
        except (TimedOut, Overloaded, ResponseTooLarge):
            raise
        except Unplanned as reason:
            self.fallbacks[str(reason)] += 1
            return None
        except StatementFailed as error:
            logger.warning("a planned query could not be read", exc_info=error)
            self.fallbacks["unreadable"] += 1
            return None
        except (Problem, Refusal, GraphQLError):
            # graphql-core finds the same error, and reports its location.
            self.fallbacks["refused"] += 1
            return None
        self.answered += 1
        return found if isinstance(found, bytes) else await self._run_call(found, caller, acting or "")

    def bind(
        self, text: str, name: str | None, variables: Mapping[str, Any] | None, caller: Caller
    ) -> BoundQuery | None:
        """A planned query with its parameters; None if the operation is no planned query."""
        try:
            planned = self._planned(text, name)
            return self._bind(planned, variables or {}, caller) if isinstance(planned, PlannedQuery) else None
        except (Unplanned, Problem, Refusal, GraphQLError):
            return None

    def answer_immediately(self, bound: BoundQuery, caller: Caller) -> bytes | None:
        """The JSON of `data` if the store can read it without waiting, and otherwise None."""
        try:
            found = self._reader.try_read(bound.statement, bound.values)
        except (StatementFailed, ResponseTooLarge):
            return None
        if found is None:
            return None
        self.answered += 1
        return self._with_cursor(found, caller)

    async def _read_or_call(
        self,
        planned: PlannedQuery | ResolverOperation | str,
        variables: Mapping[str, Any],
        caller: Caller,
        acting: str | None,
    ) -> bytes | ResolverCall:
        """The JSON of a query, or the prepared call of a mutation, which has not been executed."""
        if isinstance(planned, str):
            raise Unplanned(planned)
        if isinstance(planned, PlannedQuery):
            return await self._read(planned, variables, caller)
        if planned.is_mutation and acting is None:
            raise Unplanned("mutation")
        call = planned.call(variables)
        return call if planned.is_mutation else await self._run_call(call, caller, "")

    async def _run_call(self, call: ResolverCall, caller: Caller, request_id: str) -> bytes:
        context = Context(self._services, caller, request_id)
        try:
            return await (call.data_once(context) if call.operation.is_mutation else call.data(context))
        finally:
            await context.close()

    async def _read(self, planned: PlannedQuery, variables: Mapping[str, Any], caller: Caller) -> bytes:
        bound = self._bind(planned, variables, caller)
        return self._with_cursor(await self._reader.read(bound.statement, bound.values), caller)

    def _bind(self, planned: PlannedQuery, variables: Mapping[str, Any], caller: Caller) -> BoundQuery:
        values = planned.variables.coerce(variables)
        planned.require_allowed(values)
        parts, bindings = planned.tree(values)
        selectors = tuple(binding.bind(self._pattern, caller.tenant_id, values) for binding in bindings)
        statement = planned.statement(values, parts, caller.is_operator, selectors, self._reader)
        values = {**parameters(selectors, self._reader.dialect), "viewer": caller.tenant_id}
        return BoundQuery(statement, values)

    def _with_cursor(self, found: Answer, caller: Caller) -> bytes:
        if _MARK not in found.text:
            return found.text
        cursor = self._services.feed.seal.close_between(found.seq, caller)
        return found.text.replace(_MARK, cursor.encode())


def _size(value: Any) -> int | None:
    return len(cast(tuple[Any, ...], value)) if type(value) is tuple else value


def _plan(operation: Operation) -> PlannedQuery | ResolverOperation | IntrospectionResult:
    kind, roots = operation.definition.operation, root_field_names(operation.document, operation.definition)
    if kind is OperationType.SUBSCRIPTION:
        raise Unplanned("subscription")
    if kind is OperationType.MUTATION or roots <= QUERIES:
        return ResolverOperation(operation)
    if roots & set(ROOTS) and roots <= {*ROOTS, "__typename"} and not operation.definition.variable_definitions:
        return IntrospectionResult(operation)
    return PlannedQuery(operation)
