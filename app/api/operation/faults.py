"""Top-level errors as clients see them, each with its code. Unexpected errors are logged and masked."""

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import structlog
from graphql import DirectiveNode, GraphQLError, GraphQLSyntaxError, ValueNode
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from app.api.operation.notes import note_error
from app.errors import ErrorCode, Problem, Refusal
from app.tracebacks import clear_tracebacks

logger: Any = structlog.get_logger("faults")
MASKED = "Something went wrong in the gateway. The operators find it in their log by the request ID."
# These keep an error response small, whatever the request contains.
MOST_ERRORS, MOST_LOCATIONS, LONGEST_MESSAGE, LONGEST_PATHS = 20, 10, 500, 20_000
# What is read of a message to make one of that length.
_READ_CHARACTERS = 4 * LONGEST_MESSAGE
_OURS = {ErrorCode.INTERNAL_SERVER_ERROR, ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT}
_BEFORE_VALUE = re.compile(r"Variable '.*?(?:found|cannot represent [\w -]+ value): ")
# A string, or a constant that JSON spells differently.
_PYTHON_VALUE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b(?:None|True|False)\b""")
_JSON_CONSTANTS = {"None": "null", "True": "true", "False": "false"}
_ESCAPE, _JSON_ESCAPES = re.compile(r"\\."), {r"\'": "'", r"\x": r"\u00"}
NO_OPERATION = "The document has no operation to run, or none with the name in operationName."
_WITHOUT_OPERATION = (CannotGetOperationTypeError, MissingQueryError)


def client_errors(result: ExecutionResult, request_id: str) -> list[GraphQLError]:
    """The errors of a result as the client sees them, each with its code and the request ID."""
    before_execution = isinstance(result, PreExecutionError)
    errors = list(result.errors or ())
    if (number := _listed_count(errors)) < len(errors):
        # Errors of the gateway go first, because the status of the response depends on them.
        errors.sort(key=lambda error: _code(error, before_execution) not in _OURS)
    shown = [_client_error(error, before_execution, request_id) for error in errors[:number]]
    for error in errors:
        clear_tracebacks(error)
    return shown if number == len(errors) else [*shown, _remainder_error(len(errors) - number, shown[-1])]


def _listed_count(errors: list[GraphQLError]) -> int:
    """The number of errors to list, at least one. Paths count because aliases may be of any length."""
    characters = accumulate(sum(len(str(part)) for part in error.path or ()) for error in errors[:MOST_ERRORS])
    fitting = sum(1 for total in characters if total <= LONGEST_PATHS)
    return min(len(errors), max(1, fitting))


def _remainder_error(number: int, last: GraphQLError) -> GraphQLError:
    return GraphQLError(f"There are {number} more errors. Fix these first.", extensions=last.extensions)


def problem_errors(problem: Problem, request_id: str) -> list[GraphQLError]:
    """The errors of a request that failed before execution."""
    error = GraphQLError(str(problem), original_error=problem)
    return client_errors(PreExecutionError(data=None, errors=[error]), request_id)


def response(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    """The response to an operation, in the form of GraphQL over HTTP."""
    errors = client_errors(result, request_id)
    body: dict[str, Any] = {"errors": format_errors(errors)} if errors else {}
    if result.data is not None or any(error.path for error in errors):
        body["data"] = result.data
    return body


def _client_error(error: GraphQLError, before_execution: bool, request_id: str) -> GraphQLError:
    code = _code(error, before_execution)
    note_error(code)
    if code is ErrorCode.INTERNAL_SERVER_ERROR:
        log_fault(error.original_error or error, request_id)
    else:
        # Messages and paths of graphql-core may quote the request, which must not be logged.
        ours = error.message if isinstance(_cause(error), (Problem, Refusal)) else None
        logger.debug("problem", request_id=request_id, code=str(code), message=ours)
    extensions = {"code": str(code), "requestId": request_id, **_details(error)}
    shown = GraphQLError(_message(error, code), path=error.path, extensions=extensions)
    # Computed anew from the nodes, they would take time in proportion to the document.
    shown.locations = (error.locations or [])[:MOST_LOCATIONS] or None
    return shown


def _details(error: GraphQLError) -> dict[str, str | int]:
    cause = _cause(error)
    return cause.extensions if isinstance(cause, Problem) else {}


def _message(error: GraphQLError, code: ErrorCode) -> str:
    if code is ErrorCode.INTERNAL_SERVER_ERROR:
        return MASKED
    quoted = error.message[:_READ_CHARACTERS]
    message = NO_OPERATION if isinstance(_cause(error), _WITHOUT_OPERATION) else _with_json_values(quoted)
    # graphql-core quotes values of any length.
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}..."


def _with_json_values(message: str) -> str:
    """The message about a variable, with Python literals replaced by JSON."""
    if (quotes := _BEFORE_VALUE.match(message)) is None:
        return re.sub(r"not to be None\.$", "not to be null.", message)
    return quotes[0] + _PYTHON_VALUE.sub(_as_json, message[quotes.end() :])


def _as_json(python: re.Match[str]) -> str:
    if (constant := _JSON_CONSTANTS.get(python[0])) is not None:
        return constant
    inner = python[0][1:-1].replace('"', r"\"")
    return f'"{_ESCAPE.sub(lambda escape: _JSON_ESCAPES.get(escape[0], escape[0]), inner)}"'


def log_fault(error: Exception, request_id: str) -> None:
    """Log an unexpected error with its traceback and the request ID that the client has received."""
    logger.error("fault", request_id=request_id, exc_info=error)


def _code(error: GraphQLError, before_execution: bool) -> ErrorCode:
    original = _cause(error)
    if isinstance(original, Problem):
        return original.code
    if isinstance(original, Refusal):
        return ErrorCode(original.code)
    if isinstance(error, GraphQLSyntaxError):
        return ErrorCode.GRAPHQL_PARSE_FAILED
    if (code := (error.extensions or {}).get("code")) is not None:
        return ErrorCode(code)
    if isinstance(original, _WITHOUT_OPERATION):
        return ErrorCode.BAD_REQUEST
    if before_execution and error.nodes and isinstance(original, ValueError):
        # A literal that its type can't read, such as a number of thousands of digits.
        return ErrorCode.GRAPHQL_VALIDATION_FAILED
    if original is not None:
        return ErrorCode.INTERNAL_SERVER_ERROR
    if error.path is None or _is_about_a_value(error):
        # An invalid document or variable, or a value that its field could not coerce.
        return ErrorCode.GRAPHQL_VALIDATION_FAILED if before_execution else ErrorCode.BAD_USER_INPUT
    return ErrorCode.INTERNAL_SERVER_ERROR


def _is_about_a_value(error: GraphQLError) -> bool:
    """Whether an error points to an argument or a directive that could not be coerced."""
    return bool(error.nodes) and all(isinstance(node, (ValueNode, DirectiveNode)) for node in error.nodes or ())


def _cause(error: GraphQLError) -> Exception | None:
    """The exception beneath the errors that graphql-core has wrapped around it."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def problem_response(problem: Problem, request_id: str) -> dict[str, Any]:
    """The response to a request that failed before execution."""
    return {"errors": format_errors(problem_errors(problem, request_id))}


def format_errors(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    return [dict(error.formatted) for error in errors]
