"""The one sequence that every operation passes, whichever transport brings it.

Find its document, identify its caller, charge its cost, admit it, then plan or execute it. A transport reads the
request and writes the response in its own form; `wire/problems.py` says how it reports what goes wrong.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Any

from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from app.api.operation.context import Context, Services
from app.api.plan.planner import Planner
from app.api.schema import GatewaySchema
from app.documents.cached_function import Document
from app.documents.persisted import PersistedDocuments
from app.documents.unplanned import ExecutedWithErrors
from app.errors import Overloaded, RateLimited, Unavailable
from app.lifetime import Lifetime
from app.model import Caller
from app.web.limits import charging
from app.web.limits.admission import Admission
from app.web.limits.budget import Charge
from app.web.limits.budgets import Budgets
from app.web.limits.watches import WatchQuota
from app.web.monitoring.operations import Operations
from app.web.wire.mirror_age import MirrorAge

READS = frozenset({OperationType.QUERY})
READS_AND_WRITES = READS | {OperationType.MUTATION}
# The attribute of `request.state` with an operation that the fast path has found and charged, but could not plan.
OPERATION = "operation"


@dataclass(slots=True)
class OperationRequest:
    """An operation whose document and caller are known. `is_planless`: the planner could not plan it."""

    text: Document
    name: str | None
    variables: dict[str, Any] | None
    caller: Caller | None
    address: str
    request_id: str = ""
    charge: Charge | None = None
    kinds: frozenset[OperationType] = READS_AND_WRITES
    is_planless: bool = False

    @property
    def tenant_id(self) -> str:
        """The tenant whose watches this counts among; empty without a token."""
        return "" if self.caller is None else self.caller.tenant_id


@dataclass(frozen=True)
class Pipeline:
    """The parts that each operation passes, in this order."""

    persisted: PersistedDocuments
    budgets: Budgets | None
    admission: Admission
    watches: WatchQuota
    planner: Planner
    schema: GatewaySchema
    services: Services
    operations: Operations
    # Where the gateway stands in front of a cloud.
    mirror_age: MirrorAge | None = None

    def find_document(self, query: str | None, hash: str | None, caller: Caller | None) -> Document:
        """The document that a request sends or names. Raises DocumentProblem."""
        return self.persisted.find(query, hash, None if caller is None else caller.tenant_id)

    def charge(
        self,
        caller: Caller | None,
        address: str,
        text: Document,
        name: str | None,
        variables: Any,
        may_owe: bool = False,
    ) -> Charge | None:
        """Charge an operation. It may go on unless the charge says when to retry."""
        return self.budgets and self.budgets.charge(caller, address, text, name, variables, may_owe)

    def admit(self, request: OperationRequest) -> Lifetime:
        """Admit a query or mutation for its lifetime. Raises Overloaded, and refunds the operation."""
        try:
            return self.admission.admit(request.text, request.name)
        except Overloaded:
            self._refund(request)
            raise

    def admit_watch(self, request: OperationRequest) -> Lifetime:
        """Admit the start of a watch for its lifetime. Raises Unavailable, and refunds the operation."""
        try:
            return self.admission.admit_watch()
        except Unavailable:
            self._refund(request)
            raise

    async def execute(self, request: OperationRequest) -> bytes | ExecutionResult:
        """The JSON of `data` if the operation can be planned, otherwise the result of executing it.

        Raises Problem, and InvalidOperationTypeError or CannotGetOperationTypeError.
        """
        try:
            data = None if request.is_planless else await self.execute_plan(request)
        except ExecutedWithErrors as failed:
            return failed.result
        if data is not None:
            return data
        context = Context(self.services, request.caller, request.request_id)
        try:
            return await self._execute(request, context)
        finally:
            await context.close()

    async def execute_plan(self, request: OperationRequest) -> bytes | None:
        """The JSON of `data`; None if the operation can't be planned, so that nothing was done.

        Raises ExecutedWithErrors, or Problem.
        """
        acting = request.request_id if OperationType.MUTATION in request.kinds else None
        try:
            return await self.planner.answer(request.text, request.name, request.variables, request.caller, acting)
        except Overloaded:
            self._refund(request)
            raise

    def is_watch(self, request: OperationRequest) -> bool:
        """Whether the operation to run is a subscription. Raises GraphQLError."""
        return self.schema.streams.is_subscription(request.text, request.name)

    def begin_watch(self, request: OperationRequest) -> None:
        """Count a watch until `end_watch`. Raises RateLimited."""
        if (reason := self.watches.begin(request.tenant_id, request.text)) is not None:
            raise RateLimited(reason)

    def end_watch(self, request: OperationRequest) -> None:
        self.watches.end(request.tenant_id, request.text)

    def watch(self, request: OperationRequest, context: Context) -> AsyncGenerator[bytes]:
        """The payloads of a watch, as JSON."""
        admit = partial(self.admit_watch, request)
        toll = charging.toll(request.charge, request.caller, request.address)
        return self.schema.streams.run(request.text, request.variables, request.name, context, admit, toll)

    async def _execute(self, request: OperationRequest, context: Context) -> ExecutionResult:
        return await self.schema.execute(
            request.text,
            variable_values=request.variables,
            context_value=context,
            operation_name=request.name,
            allowed_operation_types=request.kinds,
        )

    def _refund(self, request: OperationRequest) -> None:
        charging.refund(request.charge, request.caller, request.address)


def is_request_error(result: ExecutionResult) -> bool:
    """Whether the operation failed as a whole, before its first result or by the end of its source."""
    if isinstance(result, PreExecutionError):
        return True
    return result.data is None and any(error.path is None for error in result.errors or ())
