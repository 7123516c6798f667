"""GraphQL over WebSocket: the operations of a client, by the protocol graphql-transport-ws.

`wire/problems.py` says which problems close the socket, and with which code. Other close codes are Strawberry's, as the
protocol specifies them.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast
from uuid import uuid4

import orjson
from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation
from strawberry.types.execution import ExecutionResult, PreExecutionError

from app.api.operation import faults
from app.api.operation.context import Context
from app.api.operation.notes import note_error
from app.api.watch.operation import WatchFailed
from app.documents.cached_function import Document
from app.documents.persisted import hash_of
from app.errors import DocumentProblem, ErrorCode, Problem, RateLimited
from app.lifetime import within
from app.web.limits import budget, charging
from app.web.monitoring.operation import WEBSOCKET, OperationRecord
from app.web.pipeline import OperationRequest, is_request_error
from app.web.websockets.connection import Connection, Socket
from app.web.websockets.handshake import HandshakeHandler
from app.web.wire.problems import BY_CODE, FAULT, SERVICE_RESTART, Close, handling_of


class OperationHandler(HandshakeHandler):
    """Runs the operations of one socket, each with a Context of its own."""

    async def handle_subscribe(self, message: Any) -> None:
        payload = message["payload"]
        payload["operationName"] = payload.get("operationName") or None
        if self.connection_acknowledged and not self._has_capacity(message["id"]):
            limit = self.max_subscriptions_per_connection
            await self._send_error(
                message["id"], RateLimited(f"This socket has {limit} operations, which is the limit.")
            )
            return
        try:
            if self.connection_acknowledged:
                self._find_document(payload)
        except Problem as problem:
            handling = handling_of(problem)
            resumes = charging.may_resume(payload.get("query"), payload.get("variables"))
            if close := handling.on_resume if resumes else handling.on_operation:
                await self.close(close, str(problem))
            else:
                await self._send_error(message["id"], problem)
        else:
            await super().handle_subscribe(message)

    def _has_capacity(self, id: str) -> bool:
        limit = self.max_subscriptions_per_connection
        return limit is None or len(self.operations) < limit or id in self.operations

    def _find_document(self, payload: dict[str, Any]) -> None:
        """Set the query of a payload that names its document by its hash. Raises DocumentProblem, or RateLimited."""
        caller = self.context.caller
        try:
            payload["query"] = self.pipeline.find_document(payload.get("query"), hash_of(payload), caller)
        except DocumentProblem:
            charging.charge_unknown_document(self.pipeline.budgets, caller, self.address)
            raise

    async def _send_error(self, id: str, problem: Problem) -> None:
        errors = faults.format_errors(faults.problem_errors(problem, uuid4().hex))
        await self.send_message(cast(Any, {"id": id, "type": "error", "payload": errors}))

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        request_id = uuid4().hex
        with self.pipeline.operations.record(WEBSOCKET, request_id) as record:
            record.set_operation(operation.query, operation.operation_name, operation.variables)
            record.caller = self.context.caller
            await self._run(operation, record)

    async def _run(self, operation: Operation[Any, None], record: OperationRecord) -> None:
        try:
            await self._respond(operation, record)
        except WatchFailed as failure:
            await operation.send_initial_errors(failure.errors)
        except Problem as problem:
            resumes = charging.may_resume(operation.query, operation.variables)
            await self._report(operation, problem, record, resumes)
        except (CannotGetOperationTypeError, MissingQueryError) as error:
            await self._send_errors(operation, GraphQLError(faults.NO_OPERATION, original_error=error), record)
        except GraphQLError as error:  # the cache of parsed documents raises a syntax error
            await self._send_errors(operation, error, record)
        except Exception as error:  # noqa: BLE001  # nothing above handles errors: they are logged, and masked
            faults.log_fault(error, record.request_id)
            note_error(ErrorCode.INTERNAL_SERVER_ERROR)
            await self.close(FAULT)

    async def _report(
        self, operation: Operation[Any, None], problem: Problem, record: OperationRecord, resumes: bool
    ) -> None:
        """Report a problem of an operation, or of a watch that resumes from a cursor."""
        handling = handling_of(problem)
        if (close := handling.on_resume if resumes else handling.on_operation) is None:
            await operation.send_initial_errors(faults.problem_errors(problem, record.request_id))
            return
        if not record.codes:
            note_error(problem.code)
        await self.close(close, str(problem))

    async def _send_errors(self, operation: Operation[Any, None], error: GraphQLError, record: OperationRecord) -> None:
        result = PreExecutionError(data=None, errors=[error])
        await operation.send_initial_errors(faults.client_errors(result, record.request_id))

    async def _respond(self, operation: Operation[Any, None], record: OperationRecord) -> None:
        request = await self._charge(operation, record.request_id)
        if request.text and self.pipeline.is_watch(request):
            await self._watch(operation, request, record)
            return
        async with cast(Connection, self.context).concurrency:
            if not operation.completed and (message := await self._message(operation, request)) is not None:
                await self._send_last(operation, message)

    async def _charge(self, operation: Operation[Any, None], request_id: str) -> OperationRequest:
        """The operation, once it is charged and, if it is a watch, what it owes is earned. Raises RateLimited."""
        caller, address = self.context.caller, self.address
        text, name, variables = cast(Document, operation.query), operation.operation_name, operation.variables
        may_owe = charging.WATCH_WORD in text
        charge = self.pipeline.charge(caller, address, text, name, variables, may_owe)
        charging.require_granted(charge)
        await charging.wait_until_earned(charge)
        return OperationRequest(text, name, variables, caller, address, request_id, charge)

    async def _message(self, operation: Operation[Any, None], request: OperationRequest) -> str | None:
        """The message with the result of a query or mutation. While it waits to be sent, nothing else of it is held."""
        life = self.pipeline.admit(request)
        result = await within(life, self.pipeline.execute(request))
        if isinstance(result, bytes):
            payload = budget.data_with_cost(result, request.charge)
            if (mirror_age := self.pipeline.mirror_age) is not None:
                payload = mirror_age.add_to_json(payload, request.charge is not None)
            return f"{_message_start(operation)}{payload.decode()}}}"
        return await self._result_message(operation, request, result)

    async def _send_last(self, operation: Operation[Any, None], message: str) -> None:
        if not operation.completed:
            await cast(Socket, self.websocket).send_text(message)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _result_message(
        self, operation: Operation[Any, None], request: OperationRequest, result: ExecutionResult
    ) -> str | None:
        """The message with a result; None if the operation failed as a whole, which is reported here."""
        errors = faults.client_errors(result, request.request_id)
        if is_request_error(result):
            if (close := _close_of(errors)) is not None:
                await self.close(close)
            else:
                await operation.send_initial_errors(errors)
            return None
        payload: dict[str, Any] = {"data": result.data}
        payload |= {"errors": faults.format_errors(errors)} if errors else {}
        extensions = budget.with_cost({}, request.charge).get("extensions", result.extensions)
        payload |= {"extensions": extensions} if extensions else {}
        if (mirror_age := self.pipeline.mirror_age) is not None:
            payload = mirror_age.add_to(payload)
        return f"{_message_start(operation)}{orjson.dumps(payload).decode()}}}"

    async def _watch(self, operation: Operation[Any, None], request: OperationRequest, record: OperationRecord) -> None:
        try:
            self.pipeline.begin_watch(request)
        except RateLimited as problem:
            resumes = self.pipeline.schema.streams.is_resumed(request.text, request.name, request.variables)
            await self._report(operation, problem, record, resumes)
            return
        self.pipeline.operations.start_watch(record)
        try:
            await self._send_watch(operation, request, record)
        finally:
            self.pipeline.end_watch(request)

    async def _send_watch(
        self, operation: Operation[Any, None], request: OperationRequest, record: OperationRecord
    ) -> None:
        """Send the payloads of a watch until its socket closes."""
        context = Context(self.pipeline.services, request.caller, request.request_id)
        try:
            async with aclosing(self.pipeline.watch(request, context)) as payloads:
                await self._send_payloads(operation, payloads, record)
        finally:
            await context.close()
        # The feed ends when the process is about to end, so that its clients reconnect to another one.
        await self.websocket.close(SERVICE_RESTART, "The server is restarting. Reconnect.")

    async def _send_payloads(
        self, operation: Operation[Any, None], payloads: AsyncGenerator[bytes], record: OperationRecord
    ) -> None:
        start, socket = _message_start(operation), cast(Socket, self.websocket)
        async for payload in payloads:
            if not operation.completed:
                record.items += 1
                text = f"{start}{payload.decode()}}}"
                del payload  # a watch may wait for long, and need not hold its last payload meanwhile, nor a copy of it
                await socket.send_text(text)
                del text


def _message_start(operation: Operation[Any, None]) -> str:
    """The start of a `next` message, up to a payload that is JSON already."""
    return f'{{"id":{orjson.dumps(operation.id).decode()},"type":"next","payload":'


def _close_of(errors: list[GraphQLError]) -> Close | None:
    """The close that one of the errors requires."""
    closes = (BY_CODE[ErrorCode((error.extensions or {})["code"])].on_operation for error in errors)
    return next((close for close in closes if close is not None), None)
