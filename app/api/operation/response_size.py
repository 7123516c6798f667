"""Responses that are made here: weighed before they are written, so that one that is too large is never built whole."""

from collections.abc import Generator, Iterable
from typing import Any, cast

import orjson
from graphql import ExecutionResult, GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from app.errors import ResponseTooLarge

# What the rest of an error weighs beside its message and its path.
_ERROR_BYTES = 200
_READ_AGAIN = "The mutation was carried out, but its payload"
_ITEM = "What the operation selects of this item"


class Sized(SchemaExtension):
    """Puts an error in place of a result that is too large."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes

    def on_execute(self) -> Generator[None]:
        yield
        context = self.execution_context
        result: Any = context.result
        if result is not None:
            is_mutation = context.operation_type is OperationType.MUTATION
            bound(result, self._most_bytes, _READ_AGAIN if is_mutation else None)


def bound(result: ExecutionResult, most_bytes: int, what: str | None = None) -> None:
    """Leave nothing but an error of a result that is too large; `what` was nevertheless carried out, if anything."""
    if weight(result.data) + _weight_of_errors(result.errors or ()) <= most_bytes:
        return
    problem = ResponseTooLarge(most_bytes, *([] if what is None else [what]))
    path = None if what is None else list(result.data or {})[:1]
    result.data = None
    result.errors = [GraphQLError(str(problem), path=path or None, original_error=problem)]


def limit_mutation(result: ExecutionResult, most_bytes: int) -> None:
    bound(result, most_bytes, _READ_AGAIN)


def limit_item(result: ExecutionResult, most_bytes: int) -> None:
    """The item of a watch, which goes on: the error has the item's cursor beside it."""
    bound(result, most_bytes, _ITEM)


def written(data: Any, most_bytes: int) -> bytes:
    """The JSON. Raises ResponseTooLarge, before it is written unless escapes alone make it too large."""
    if weight(data) > most_bytes or len(text := orjson.dumps(data)) > most_bytes:
        raise ResponseTooLarge(most_bytes)
    return text


def weight(data: Any) -> int:
    """The bytes of all names and texts: what can be large. The signs between are of the order of the names."""
    total = 0
    waiting = [data]
    while waiting:
        value: Any = waiting.pop()
        if type(value) is str:
            total += len(value) if value.isascii() else len(value.encode(errors="replace"))
        elif type(value) is dict:
            total += sum(map(len, cast(dict[str, Any], value)))
            waiting.extend(cast(dict[str, Any], value).values())
        elif type(value) is list:
            waiting.extend(cast(list[Any], value))
    return total


def _weight_of_errors(errors: Iterable[GraphQLError]) -> int:
    return sum(_ERROR_BYTES + len(error.message) + sum(len(str(key)) for key in error.path or ()) for error in errors)
