"""Limits the size of responses, which is estimated before they are serialized."""

from collections.abc import Generator, Iterable
from typing import Any, cast

import orjson
from graphql import ExecutionResult, GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from app.errors import ResponseTooLarge

# The size of an error without its message and its path.
_ERROR_BYTES = 200
_MUTATION_PAYLOAD = "The mutation was carried out, but its payload"
_ITEM = "What the operation selects of this item"


class ResponseSizeLimit(SchemaExtension):
    """Replaces a result that is too large by an error."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes

    def on_execute(self) -> Generator[None]:
        yield
        context = self.execution_context
        result: Any = context.result
        if result is not None:
            is_mutation = context.operation_type is OperationType.MUTATION
            limit_result(result, self._most_bytes, _MUTATION_PAYLOAD if is_mutation else None)


def limit_result(result: ExecutionResult, most_bytes: int, what: str | None = None) -> None:
    """Replace a result that is too large by an error, in which `what` names the part that is missing."""
    if weight(result.data) + _weight_of_errors(result.errors or ()) <= most_bytes:
        return
    problem = ResponseTooLarge(most_bytes, *([] if what is None else [what]))
    path = None if what is None else list(result.data or {})[:1]
    result.data = None
    result.errors = [GraphQLError(str(problem), path=path or None, original_error=problem)]


def limit_mutation(result: ExecutionResult, most_bytes: int) -> None:
    limit_result(result, most_bytes, _MUTATION_PAYLOAD)


def limit_item(result: ExecutionResult, most_bytes: int) -> None:
    """Limit an item of a watch, which continues: the error is sent with the item's cursor."""
    limit_result(result, most_bytes, _ITEM)


def dump_json(data: Any, most_bytes: int) -> bytes:
    """The JSON. Raises ResponseTooLarge, before serialization unless only escapes exceed the limit."""
    if weight(data) > most_bytes or len(text := orjson.dumps(data)) > most_bytes:
        raise ResponseTooLarge(most_bytes)
    return text


def weight(data: Any) -> int:
    """The bytes of all names and strings. Other values and punctuation are small."""
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
