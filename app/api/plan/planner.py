"""The short way of a query: planned once, it is one statement, whose text is the answer.

What can't be planned, or is not plainly right, is left to GraphQL's own execution, which says the same.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
import structlog
from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType, VariableNode

from app.api.context import Services
from app.api.documents import CACHED, Documents
from app.api.plan.arguments import PlaceOf
from app.api.plan.build import Builder
from app.api.plan.selections import Selections
from app.api.plan.unplanned import Unplanned
from app.api.plan.values import Variables
from app.api.schema import GatewaySchema
from app.errors import Problem, Refusal
from app.model import Caller
from app.store.plan.reader import Reader, Unreadable
from app.store.plan.statement import Statement, statement
from app.store.plan.tree import Parts
from app.store.plan.windows import Place, parameters, shape

logger: Any = structlog.get_logger("plan")
KEPT_STATEMENTS, KEPT_VERDICTS = 8, 64
_MARK = b'"\x01"'


class Planned:
    """One operation of one document: its trees and its statements, as they are needed."""

    def __init__(self, schema: GraphQLSchema, documents: Documents, text: str, name: str | None) -> None:
        self._schema = schema
        self._documents = documents
        self._document = documents.parsed(text)
        self._name = name
        self._operation = _query(self._document, name)
        self.variables = Variables(schema, self._operation)
        self._switches = _switches(self._document)
        self._trees: OrderedDict[tuple[Any, ...], tuple[Parts, list[PlaceOf]]] = OrderedDict()
        self._statements: OrderedDict[tuple[Any, ...], Statement] = OrderedDict()
        self._verdicts: OrderedDict[tuple[Any, ...], bool] = OrderedDict()

    def require_allowed(self, values: Mapping[str, Any]) -> None:
        """Valid, and within the limits, which hang on the sizes of the pages alone."""
        sizes = tuple(values.get(size) for size in self.variables.sizes)
        verdict = self._verdicts.get(sizes)
        if verdict is None:
            verdict = not self._documents.errors(self._schema, self._document, self._name, values)
            _keep(self._verdicts, sizes, verdict, KEPT_VERDICTS)
        if not verdict:
            raise Unplanned("refused")

    def tree(self, values: Mapping[str, Any]) -> tuple[Parts, list[PlaceOf]]:
        """What is asked for, as `@skip` and `@include` leave it, and how its places are filled."""
        chosen = self._chosen(values)
        found = self._trees.get(chosen)
        if found is None:
            builder = Builder(self._schema, Selections(self._schema, self._document, values))
            found = builder.root(self._operation), builder.places
            _keep(self._trees, chosen, found, KEPT_STATEMENTS)
        return found

    def statement(
        self, values: Mapping[str, Any], parts: Parts, is_operator: bool, places: tuple[Place, ...], reader: Reader
    ) -> Statement:
        key = self._chosen(values), is_operator, shape(places)
        found = self._statements.get(key)
        if found is None:
            found = statement(parts, is_operator, places, reader.dialect)
            _keep(self._statements, key, found, KEPT_STATEMENTS)
        return found

    def _chosen(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values.get(switch) for switch in self._switches)


class Planner:
    """Plans the queries of one schema, and answers them from one store."""

    def __init__(self, gateway_schema: GatewaySchema, services: Services, reader: Reader) -> None:
        # Strawberry keeps the plain GraphQL schema, which plans are made of, in this field alone.
        schema = gateway_schema._schema  # pyright: ignore[reportPrivateUsage]
        documents = gateway_schema.documents
        self._services = services
        self._reader = reader
        self._pattern = services.settings.tenant_id_pattern
        self.answered = 0
        self.left: Counter[str] = Counter()

        @lru_cache(maxsize=CACHED)
        def planned(text: str, name: str | None) -> Planned | str:
            try:
                return Planned(schema, documents, text, name)
            except Unplanned as reason:
                return str(reason)

        self._planned = planned

    async def answer(
        self, text: str, name: str | None, variables: Mapping[str, Any] | None, caller: Caller | None
    ) -> bytes | None:
        """The JSON of `data`; None when the operation goes the long way."""
        try:
            data = await self._answer(text, name, variables or {}, caller)
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
        return data

    async def _answer(self, text: str, name: str | None, variables: Mapping[str, Any], caller: Caller | None) -> bytes:
        planned = self._planned(text, name)
        if isinstance(planned, str):
            raise Unplanned(planned)
        if caller is None:
            raise Unplanned("anonymous")
        values = planned.variables.values(variables)
        planned.require_allowed(values)
        parts, fillers = planned.tree(values)
        places = tuple(filler.filled(self._pattern, caller.tenant_id, values) for filler in fillers)
        asked = planned.statement(values, parts, caller.is_operator, places, self._reader)
        given = parameters(places, self._reader.dialect)
        given["viewer"] = caller.tenant_id
        found = await self._reader.read(asked, given)
        if _MARK not in found.text:
            return found.text
        cursor = self._services.feed.seal.close_between(found.seq, caller)
        return found.text.replace(_MARK, orjson.dumps(cursor))


def _query(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [part for part in document.definitions if isinstance(part, OperationDefinitionNode)]
    wanted = [part for part in operations if name in (None, part.name and part.name.value)]
    if len(wanted) != 1:
        raise Unplanned("operation")
    if wanted[0].operation is not OperationType.QUERY:
        raise Unplanned(wanted[0].operation.value)
    return wanted[0]


def _switches(document: DocumentNode) -> tuple[str, ...]:
    """Variables that `@skip` and `@include` hang on."""
    found: set[str] = set()
    waiting: list[Any] = [getattr(part, "selection_set", None) for part in document.definitions]
    while waiting:
        selection_set = waiting.pop()
        for selection in selection_set.selections if selection_set else ():
            for directive in selection.directives or ():
                values = (argument.value for argument in directive.arguments or ())
                found |= {value.name.value for value in values if isinstance(value, VariableNode)}
            waiting.append(getattr(selection, "selection_set", None))
    return tuple(sorted(found))


def _keep(kept: OrderedDict[tuple[Any, ...], Any], key: tuple[Any, ...], value: Any, at_most: int) -> None:
    """Keep the newest: a document whose lists come in ever other shapes must not fill the memory."""
    kept[key] = value
    if len(kept) > at_most:
        kept.popitem(last=False)
