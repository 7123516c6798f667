"""Prices operations before they are executed, for the budgets of their callers."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from time import thread_time
from typing import Any, NamedTuple, cast

from graphql import (
    GraphQLError,
    GraphQLSchema,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    OperationType,
    TypeNode,
    is_enum_type,
    is_scalar_type,
)

from app import caches
from app.documents.bounded_cache import count_tokens
from app.documents.cached_function import CachedFunction
from app.documents.deadlines import without_garbage_collection
from app.documents.documents import Documents
from app.documents.limits import variables_error
from app.documents.measure import TENANT_IDS
from app.documents.selections import find_operation
from app.documents.unplanned import Unplanned
from app.store.pages import MAX_PAGE

# In units of the cost of one field. WRITE is added for each object that a mutation may write, WATCH for each watch
# that starts. REFUSED is the price of an invalid operation, which has been parsed and validated nevertheless.
WRITE, WATCH, REFUSED = 10, 100, 100
MAX_PRICES = 64


# One unit pays for 10 microseconds of the event loop. Reading a new document costs one unit for each token, or the time
# that it takes beyond 20 ms, whichever is more.
UNIT_SECONDS, FREE_SECONDS = 10e-6, 0.02


class Price(NamedTuple):
    """The cost of an operation. `reading` is due once for parsing and validating a document that is not cached."""

    cost: int
    is_watch: bool = False
    reading: int = 0


class Prices:
    """The prices of the operations of one schema, including invalid ones."""

    def __init__(self, documents: Documents) -> None:
        def compute(text: str, name: str | None) -> PricedOperation | InvalidDocument:
            reading = ReadingCost(text)
            try:
                with reading.measure():
                    return PricedOperation(documents, text, name, reading)
            except (GraphQLError, Unplanned):
                return InvalidDocument(reading)

        self._priced = CachedFunction(compute, documents.cache)

    def of(self, text: str, name: str | None, variables: Mapping[str, Any] | None) -> Price:
        priced = self._priced(text, name)
        price = priced.price(variables or {})
        return price._replace(reading=priced.reading.take_due()) if priced.reading.due else price


class ReadingCost:
    """The cost of parsing, measuring and validating one document, with the part that has been paid."""

    __slots__ = ("_paid", "_seconds", "_tokens", "due")

    def __init__(self, text: str) -> None:
        self._tokens = count_tokens(text)
        self._seconds = 0.0
        self._paid = 0
        self.due = self._tokens

    @contextmanager
    def measure(self) -> Generator[None]:
        began = thread_time()
        try:
            with without_garbage_collection():
                yield
        finally:
            self._seconds += thread_time() - began
            self.due = max(self._tokens, int((self._seconds - FREE_SECONDS) / UNIT_SECONDS)) - self._paid

    def take_due(self) -> int:
        """Return the amount that is due, and count it as paid."""
        due, self.due = self.due, 0
        self._paid += due
        return due


class InvalidDocument:
    """A document without a valid operation, which always costs the price of a refusal."""

    def __init__(self, reading: ReadingCost) -> None:
        self.reading = reading

    def price(self, variables: Mapping[str, Any]) -> Price:
        return _REFUSED


class PricedOperation:
    """One operation of one document, whose price depends on the sizes of some of its variables."""

    def __init__(self, documents: Documents, text: str, name: str | None, reading: ReadingCost) -> None:
        self.reading = reading
        self._documents, self._text, self._name = documents, text, name
        self._operation = find_operation(documents.parse(text), name)
        definitions = self._operation.variable_definitions or ()
        self._sizing = tuple(one.variable.name.value for one in definitions if _may_size(documents.schema, one.type))
        self._prices: dict[tuple[Any, ...], Price] = {}

    def price(self, variables: Mapping[str, Any]) -> Price:
        if variables and variables_error(variables):
            return _REFUSED
        sizing = self._sizing
        sizes = tuple([_size(variables.get(name, _ABSENT)) for name in sizing]) if sizing else ()
        found = self._prices.get(sizes)
        if found is None:
            with self.reading.measure():
                found = self._compute_price(variables)
            caches.put(self._prices, sizes, found, MAX_PRICES)
        return found

    def _compute_price(self, variables: Mapping[str, Any]) -> Price:
        if self._documents.errors(self._text, self._name, variables):
            return _REFUSED
        size = self._documents.measure(self._text, self._operation, variables).size()
        is_watch = self._operation.operation is OperationType.SUBSCRIPTION
        return Price(size.cost + WRITE * size.writes + WATCH * is_watch, is_watch)


_REFUSED = Price(REFUSED)
_ABSENT = object()


def _may_size(schema: GraphQLSchema, type_: TypeNode) -> bool:
    """Whether a variable of this type may determine a number of objects: a number, a list or an input object."""
    if isinstance(type_, NonNullTypeNode):
        type_ = type_.type
    if isinstance(type_, ListTypeNode):
        return True
    name = cast(NamedTypeNode, type_).name.value
    named = schema.get_type(name)
    return name == "Int" or not (is_scalar_type(named) or is_enum_type(named))


def _size(value: Any) -> Any:
    """The part of a value that affects the price. Sizes with the same price are equal, to keep few of them."""
    if type(value) is int:
        return max(1, min(value, MAX_PAGE))
    if isinstance(value, list):
        return (_length(cast(list[Any], value)),)
    if isinstance(value, dict):
        # Other fields don't affect the price, and their names are arbitrary.
        named = cast(dict[str, Any], value).get(TENANT_IDS)
        return (TENANT_IDS, _length(cast(list[Any], named))) if isinstance(named, list) else TENANT_IDS
    return value if value is None or value is _ABSENT else "another"


def _length(values: list[Any]) -> int:
    return max(1, min(len(values), MAX_PAGE))
