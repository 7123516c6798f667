"""The short way of a query: planned once, it is one statement, whose text is the answer.

What can't be planned, or is not plainly right, is left to GraphQL's own execution, which says the same.
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
from app.api.plan.arguments import PlaceOf
from app.api.plan.build import Builder
from app.api.plan.coercion import Variables
from app.api.plan.resolver_call import QUERIES, Call, Resolved
from app.documents.cache import TenantCache
from app.documents.documents import Documents
from app.documents.introspection import ROOTS
from app.documents.operation import Operation
from app.documents.selections import Selections, root_field_names, switch_variables
from app.documents.unplanned import Unplanned
from app.errors import Overloaded, Problem, Refusal, ResponseTooLarge, TimedOut
from app.model import Caller
from app.store.plan.answer import Answer, Reader, Unreadable
from app.store.plan.placeholders import WATCH_CURSOR
from app.store.plan.statement import Statement, statement
from app.store.plan.tree import Parts
from app.store.plan.windows import Place, parameters, shape

logger: Any = structlog.get_logger("plan")
MAX_STATEMENTS = 8
_MARK = WATCH_CURSOR.encode()


class Ready(NamedTuple):
    """The statement of a query, and the values that go into it."""

    statement: Statement
    values: Mapping[str, Any]


class Introspected:
    """An operation that asks for nothing but the schema. Its answer is the same for everybody, and made once."""

    def __init__(self, operation: Operation) -> None:
        operation.require_allowed((), {})
        execute: Callable[..., Any] = cast(Any, graphql).execute_sync
        result = execute(operation.schema, operation.document, operation_name=operation.name)
        if result.errors:
            raise Unplanned("refused")
        self.data = orjson.dumps(result.data)
        self.weight = len(self.data)


class Planned:
    """One operation of one document: its trees and its statements, as they are needed."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self.variables = Variables(operation.schema, operation.definition)
        self._switches = switch_variables(operation.document)
        self._trees: dict[tuple[Any, ...], tuple[Parts, list[PlaceOf]]] = {}
        self._statements: dict[tuple[Any, ...], Statement] = {}

    def require_allowed(self, values: Mapping[str, Any]) -> None:
        """The limits hang on the sizes of the pages."""
        self._operation.require_allowed(tuple([_size(values.get(name)) for name in self.variables.sizes]), values)

    def tree(self, values: Mapping[str, Any]) -> tuple[Parts, list[PlaceOf]]:
        """What is asked for, as `@skip` and `@include` leave it, and how its places are filled."""
        chosen = self._chosen(values)
        found = self._trees.get(chosen)
        if found is None:
            schema, document = self._operation.schema, self._operation.document
            builder = Builder(schema, Selections(schema, document, values))
            found = builder.root(self._operation.definition), builder.places
            caches.put(self._trees, chosen, found, MAX_STATEMENTS)
        return found

    def statement(
        self, values: Mapping[str, Any], parts: Parts, is_operator: bool, places: tuple[Place, ...], reader: Reader
    ) -> Statement:
        key = self._chosen(values), is_operator, shape(places)
        found = self._statements.get(key)
        if found is None:
            found = statement(parts, is_operator, places, reader.dialect)
            caches.put(self._statements, key, found, MAX_STATEMENTS)
        return found

    def _chosen(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values.get(switch) for switch in self._switches)


class Planner:
    """Plans the queries of one schema, and answers them from one store."""

    def __init__(self, documents: Documents, services: Services, reader: Reader) -> None:
        self._services = services
        self._reader = reader
        self._pattern = services.settings.tenant_id_pattern
        self.answered = 0
        self.left: Counter[str] = Counter()

        def planned(text: str, name: str | None) -> Planned | Resolved | Introspected | str:
            try:
                return _plan(Operation(documents, text, name))
            except Unplanned as reason:
                return str(reason)

        self._planned = TenantCache(planned, documents.memory)

    async def answer(
        self,
        text: str,
        name: str | None,
        variables: Mapping[str, Any] | None,
        caller: Caller | None,
        acting: str | None = None,
    ) -> bytes | None:
        """The JSON of `data`; None when the operation goes the long way, and nothing has been done yet.

        `acting` is the ID of a request that may change something. Raises TimedOut, Overloaded or ResponseTooLarge, and
        ExecutedWithErrors when it was carried out with errors.
        """
        try:
            planned = self._planned(text, name)
            if isinstance(planned, Introspected):
                self.answered += 1
                return planned.data
            if caller is None:
                raise Unplanned("anonymous")
            found = await self._read_or_call(planned, variables or {}, caller, acting)
        except (TimedOut, Overloaded, ResponseTooLarge):
            raise
        except Unplanned as reason:
            self.left[str(reason)] += 1
            return None
        except Unreadable as error:
            logger.warning("a planned query could not be read", exc_info=error)
            self.left["unreadable"] += 1
            return None
        except (Problem, Refusal, GraphQLError):
            # Whatever is wrong with it, the long way finds it too, and says where.
            self.left["refused"] += 1
            return None
        self.answered += 1
        return found if isinstance(found, bytes) else await self._called(found, caller, acting or "")

    def ready(self, text: str, name: str | None, variables: Mapping[str, Any] | None, caller: Caller) -> Ready | None:
        """A query all of whose values are known, as often as it is asked; None leaves it to `answer`."""
        try:
            planned = self._planned(text, name)
            return self._ready(planned, variables or {}, caller) if isinstance(planned, Planned) else None
        except (Unplanned, Problem, Refusal, GraphQLError):
            return None

    def at_once(self, ready: Ready, caller: Caller) -> bytes | None:
        """The answer that the store gives without a wait; None when it can't."""
        try:
            found = self._reader.read_at_once(ready.statement, ready.values)
        except (Unreadable, ResponseTooLarge):
            return None
        if found is None:
            return None
        self.answered += 1
        return self._text(found, caller)

    async def _read_or_call(
        self, planned: Planned | Resolved | str, variables: Mapping[str, Any], caller: Caller, acting: str | None
    ) -> bytes | Call:
        """The answer of a query, or the call of a mutation, which is ready to be made."""
        if isinstance(planned, str):
            raise Unplanned(planned)
        if isinstance(planned, Planned):
            return await self._read(planned, variables, caller)
        if planned.is_mutation and acting is None:
            raise Unplanned("mutation")
        call = planned.call(variables)
        return call if planned.is_mutation else await self._called(call, caller, "")

    async def _called(self, call: Call, caller: Caller, request_id: str) -> bytes:
        context = Context(self._services, caller, request_id)
        try:
            return await (call.data_of_once(context) if call.operation.is_mutation else call.data(context))
        finally:
            await context.close()

    async def _read(self, planned: Planned, variables: Mapping[str, Any], caller: Caller) -> bytes:
        ready = self._ready(planned, variables, caller)
        return self._text(await self._reader.read(ready.statement, ready.values), caller)

    def _ready(self, planned: Planned, variables: Mapping[str, Any], caller: Caller) -> Ready:
        values = planned.variables.values(variables)
        planned.require_allowed(values)
        parts, fillers = planned.tree(values)
        places = tuple(filler.filled(self._pattern, caller.tenant_id, values) for filler in fillers)
        asked = planned.statement(values, parts, caller.is_operator, places, self._reader)
        given = {**parameters(places, self._reader.dialect), "viewer": caller.tenant_id}
        return Ready(asked, given)

    def _text(self, found: Answer, caller: Caller) -> bytes:
        if _MARK not in found.text:
            return found.text
        cursor = self._services.feed.seal.close_between(found.seq, caller)
        return found.text.replace(_MARK, cursor.encode())


def _size(value: Any) -> int | None:
    return len(cast(tuple[Any, ...], value)) if type(value) is tuple else value


def _plan(operation: Operation) -> Planned | Resolved | Introspected:
    kind, roots = operation.definition.operation, root_field_names(operation.document, operation.definition)
    if kind is OperationType.SUBSCRIPTION:
        raise Unplanned("subscription")
    if kind is OperationType.MUTATION or roots <= QUERIES:
        return Resolved(operation)
    if roots & set(ROOTS) and roots <= {*ROOTS, "__typename"} and not operation.definition.variable_definitions:
        return Introspected(operation)
    return Planned(operation)
