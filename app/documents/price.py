"""What an operation costs its caller's budget, known before any of it is carried out."""

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
from app.documents.cache import Remembered
from app.documents.deadlines import without_collecting
from app.documents.documents import Documents
from app.documents.measure import NAMED
from app.documents.memory import words
from app.documents.selections import operation_of
from app.documents.unplanned import Unplanned
from app.store.pages import MAX_PAGE

# In units of one field each: beside its fields, for each object that a mutation may write; for a watch that begins or
# goes on; and for what is refused before it is carried out, since even that has been parsed and validated.
WRITE, WATCH, REFUSED = 10, 100, 100
KEPT_PRICES = 64


# The event loop takes about so long for a unit. Reading a document costs what it takes beyond what is free, or a unit
# for each of its words and signs.
UNIT_SECONDS, FREE_SECONDS = 10e-6, 0.02


class Price(NamedTuple):
    """The cost, whether it is that of a watch, and what is due for reading a document that is new for its sender."""

    cost: int
    is_watch: bool = False
    reading: int = 0


class Prices:
    """The prices of the operations of one schema. A text that does not parse, or does not validate, has one too."""

    def __init__(self, documents: Documents) -> None:
        def priced(text: str, name: str | None) -> Priced | Unpriced:
            reading = Reading(text)
            try:
                with reading.going_on():
                    return Priced(documents, text, name, reading)
            except (GraphQLError, Unplanned):
                return Unpriced(reading)

        self._priced = Remembered(priced, documents.memory)

    def of(self, text: str, name: str | None, variables: Mapping[str, Any] | None) -> Price:
        priced = self._priced(text, name)
        price = priced.price(variables or {})
        return price._replace(reading=priced.reading.paid()) if priced.reading.due else price


class Reading:
    """What it took to parse, measure and validate one document, until that is paid for."""

    __slots__ = ("_paid", "_seconds", "_words", "due")

    def __init__(self, text: str) -> None:
        self._words = words(text)
        self._seconds = 0.0
        self._paid = 0
        self.due = self._words

    @contextmanager
    def going_on(self) -> Generator[None]:
        began = thread_time()
        try:
            with without_collecting():
                yield
        finally:
            self._seconds += thread_time() - began
            self.due = max(self._words, int((self._seconds - FREE_SECONDS) / UNIT_SECONDS)) - self._paid

    def paid(self) -> int:
        """What was due; now it no longer is."""
        due, self.due = self.due, 0
        self._paid += due
        return due


class Unpriced:
    """A text that is no operation: each time it costs what a refusal costs."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def price(self, variables: Mapping[str, Any]) -> Price:
        return _REFUSED


class Priced:
    """One operation of one document, whose price hangs on the sizes of some of its variables."""

    def __init__(self, documents: Documents, text: str, name: str | None, reading: Reading) -> None:
        self.reading = reading
        self._documents, self._name = documents, name
        self._document = documents.parsed(text)
        self._operation = operation_of(self._document, name)
        definitions = self._operation.variable_definitions or ()
        self._sizing = tuple(one.variable.name.value for one in definitions if _may_size(documents.schema, one.type))
        self._prices: dict[tuple[Any, ...], Price] = {}

    def price(self, variables: Mapping[str, Any]) -> Price:
        sizing = self._sizing
        sizes = tuple([_size(variables.get(name, _ABSENT)) for name in sizing]) if sizing else ()
        found = self._prices.get(sizes)
        if found is None:
            with self.reading.going_on():
                found = self._worked_out(variables)
            caches.put(self._prices, sizes, found, KEPT_PRICES)
        return found

    def _worked_out(self, variables: Mapping[str, Any]) -> Price:
        if self._documents.errors(self._document, self._name, variables):
            return _REFUSED
        size = self._documents.measure(self._document, self._operation, variables).size()
        is_watch = self._operation.operation is OperationType.SUBSCRIPTION
        return Price(size.cost + WRITE * size.writes + WATCH * is_watch, is_watch)


_REFUSED = Price(REFUSED)
_ABSENT = object()


def _may_size(schema: GraphQLSchema, type_: TypeNode) -> bool:
    """Whether the value of a variable of this type may say how many objects there are: a number, a list, an input."""
    if isinstance(type_, NonNullTypeNode):
        type_ = type_.type
    if isinstance(type_, ListTypeNode):
        return True
    name = cast(NamedTypeNode, type_).name.value
    named = schema.get_type(name)
    return name == "Int" or not (is_scalar_type(named) or is_enum_type(named))


def _size(value: Any) -> Any:
    """What a price may see of a value. Sizes that cost the same are the same, so that there are not too many."""
    if type(value) is int:
        return max(1, min(value, MAX_PAGE))
    if isinstance(value, list):
        return (_length(cast(list[Any], value)),)
    if isinstance(value, dict):
        # A price sees nothing of the rest, whose names are whatever a client sends.
        named = cast(dict[str, Any], value).get(NAMED)
        return (NAMED, _length(cast(list[Any], named))) if isinstance(named, list) else NAMED
    return value if value is None or value is _ABSENT else "another"


def _length(values: list[Any]) -> int:
    return max(1, min(len(values), MAX_PAGE))
