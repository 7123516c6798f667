"""Operations carried out, over HTTP and WebSocket, and what has become of them."""

from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, cast

from cross_web import HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from strawberry.http import GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation
from strawberry.types.execution import ExecutionResult, PreExecutionError

from app.api.operation import faults
from app.api.operation.context import Context
from app.api.plan.planner import Planner
from app.documents.unplanned import Failed
from app.errors import ErrorCode
from app.model import Caller
from app.web.wire import parameters

_OUR_FAULTS = {ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL_SERVER_ERROR}


async def executed(
    schema: BaseSchema, request: Request, context: Any, request_data: GraphQLRequestData
) -> ExecutionResult:
    """What came of it over HTTP. Raises HTTPException for an operation that its method does not carry out."""
    try:
        return await schema.execute(
            request_data.query,
            variable_values=request_data.variables,
            context_value=context,
            operation_name=request_data.operation_name,
            allowed_operation_types=parameters.operations_by(request.method),
            operation_extensions=request_data.extensions,
        )
    except CannotGetOperationTypeError:
        raise HTTPException(400, faults.NO_OPERATION) from None
    except InvalidOperationTypeError as error:
        raise parameters.refused_operation(error.operation_type) from None


async def carried_out(
    planner: Planner, schema: BaseSchema, operation: Operation[Any, None], caller: Caller | None, context: Context
) -> bytes | ExecutionResult:
    """The data of an operation that has a plan, or what came of one that has not."""
    query, name, variables = operation.query, operation.operation_name, operation.variables
    try:
        data = await planner.answer(query, name, variables, caller, context.request_id)
    except Failed as failed:
        return failed.result
    if data is not None:
        return data
    results = await schema.stream(query, variable_values=variables, context_value=context, operation_name=name)
    async with aclosing(results):
        # Without `@defer` there is one result.
        return cast(ExecutionResult, await anext(results))


def is_request_error(result: ExecutionResult) -> bool:
    """Whether the operation as a whole failed, before its first result or by the end of its source."""
    if isinstance(result, PreExecutionError):
        return True
    return result.data is None and any(error.path is None for error in result.errors or ())


def is_our_fault(errors: Iterable[GraphQLError]) -> bool:
    return any((error.extensions or {}).get("code") in _OUR_FAULTS for error in errors)
