"""The one sequence that every operation passes, whichever transport brings it.

Its document is found, its caller identified, its cost charged; then it is admitted, and either planned or executed.
Each transport reads the request and writes the response in its own form.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from app.api.operation.context import Context, Services
from app.api.plan.planner import Planner
from app.api.schema import GatewaySchema
from app.documents.persisted import PersistedDocuments
from app.documents.unplanned import ExecutedWithErrors
from app.errors import ErrorCode, Overloaded, Unavailable
from app.lifetime import Lifetime
from app.model import Caller
from app.web.limits import charging
from app.web.limits.admission import Load
from app.web.limits.budget import Budgets, Charge
from app.web.limits.watches import Watches
from app.web.monitoring.operations import Operations

READS = frozenset({OperationType.QUERY})
READS_AND_WRITES = READS | {OperationType.MUTATION}
# Marks an HTTP request that the planner has left, so that it is not tried, and counted, once more.
IS_PLANLESS = "is_planless"
_OUR_FAULTS = {ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL_SERVER_ERROR}


@dataclass(slots=True)
class Requested:
    """An operation whose document is known, and who pays for it. `is_planless`: the planner has left it already."""

    text: str
    name: str | None
    variables: dict[str, Any] | None
    caller: Caller | None
    address: str
    request_id: str
    charge: Charge | None
    kinds: frozenset[OperationType] = READS_AND_WRITES
    is_planless: bool = False


@dataclass(frozen=True)
class Pipeline:
    """The parts that each operation passes, in this order."""

    persisted: PersistedDocuments
    budgets: Budgets | None
    load: Load
    watches: Watches
    planner: Planner
    schema: GatewaySchema
    services: Services
    operations: Operations

    def admit(self, requested: Requested) -> Lifetime:
        """The lifetime of the operation. Raises Overloaded, for which nothing is charged."""
        try:
            return self.load.admit(requested.text, requested.name)
        except Overloaded:
            self._refund(requested)
            raise

    def admit_watch(self, requested: Requested) -> Lifetime:
        """The lifetime of a watch's start. Raises Unavailable, for which nothing is charged."""
        try:
            return self.load.admit_watch()
        except Unavailable:
            self._refund(requested)
            raise

    async def execute(self, requested: Requested) -> bytes | ExecutionResult:
        """The JSON of `data` where there is a plan; else what executing the operation field by field gives.

        Raises Problem, and InvalidOperationTypeError or CannotGetOperationTypeError.
        """
        try:
            data = None if requested.is_planless else await self.planned(requested)
        except ExecutedWithErrors as failed:
            return failed.result
        if data is not None:
            return data
        context = Context(self.services, requested.caller, requested.request_id)
        try:
            return await self._executed(requested, context)
        finally:
            await context.close()

    async def planned(self, requested: Requested) -> bytes | None:
        """The JSON of `data`; None if there is no plan. Raises ExecutedWithErrors or Problem."""
        acting = requested.request_id if OperationType.MUTATION in requested.kinds else None
        text, name, variables = requested.text, requested.name, requested.variables
        try:
            return await self.planner.answer(text, name, variables, requested.caller, acting)
        except Overloaded:
            self._refund(requested)
            raise

    async def _executed(self, requested: Requested, context: Context) -> ExecutionResult:
        return await self.schema.execute(
            requested.text,
            variable_values=requested.variables,
            context_value=context,
            operation_name=requested.name,
            allowed_operation_types=requested.kinds,
        )

    def _refund(self, requested: Requested) -> None:
        charging.refund(requested.charge, requested.caller, requested.address)


def is_request_error(result: ExecutionResult) -> bool:
    """Whether the operation as a whole failed, before its first result or by the end of its source."""
    if isinstance(result, PreExecutionError):
        return True
    return result.data is None and any(error.path is None for error in result.errors or ())


def is_our_fault(errors: Iterable[GraphQLError]) -> bool:
    return any((error.extensions or {}).get("code") in _OUR_FAULTS for error in errors)
