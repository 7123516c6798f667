"""GraphQL over WebSocket: graphql-transport-ws, with a Context of its own for each operation.

Close codes are what clients act on: 4400 the client broke the protocol, 4401 a token that will never do, 4403 a fresh
token would help, 1013 try again later. The rest are Strawberry's, as the protocol gives them.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
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
from app.api.watch.operation import Refused
from app.errors import ErrorCode, Overloaded, Problem, RateLimited, ResponseTooLarge, TimedOut, Unavailable
from app.lifetime import within
from app.web.limits import budget, charging
from app.web.monitoring.operation import WEBSOCKET, Running
from app.web.pipeline import Requested, is_our_fault, is_request_error
from app.web.websockets.connection import Connection, Socket
from app.web.websockets.handshake import RESTARTING, TRY_AGAIN_LATER, Greeter


class TransportHandler(Greeter):
    """The operations of a client that has introduced itself."""

    async def handle_subscribe(self, message: Any) -> None:
        message["payload"]["operationName"] = message["payload"].get("operationName") or None
        limit = self.max_subscriptions_per_connection
        if limit is None or len(self.operations) < limit or message["id"] in self.operations:
            errors = await self._put_document_into(message["payload"]) if self.connection_acknowledged else []
        else:
            errors = [_too_many(f"There are {limit} operations under way on this socket, the most that one may have.")]
        if not errors:
            await super().handle_subscribe(message)
            return
        told: Any = {"id": message["id"], "type": "error", "payload": faults.formatted(errors)}
        await self.send_message(told)

    async def _put_document_into(self, payload: dict[str, Any]) -> list[GraphQLError]:
        """Where it is named by its hash; what is wrong with that."""
        caller = self.context.caller
        try:
            self.pipeline.persisted.resolve_in(payload, caller and caller.tenant_id)
        except Problem as problem:
            try:
                charging.charge_unread(self.pipeline.budgets, caller, self.address)
            except RateLimited as limited:
                if charging.may_be_resumed(payload.get("query"), payload.get("variables")):
                    await self.websocket.close(TRY_AGAIN_LATER, str(limited))
                return faults.of_problem(limited, uuid4().hex)
            return faults.of_problem(problem, uuid4().hex)
        return []

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        request_id = uuid4().hex
        with self.pipeline.operations.running(WEBSOCKET, request_id) as running:
            running.asks(operation.query, operation.operation_name, operation.variables)
            running.caller = self.context.caller
            await self._run(operation, running)

    async def _run(self, operation: Operation[Any, None], running: Running) -> None:
        try:
            await self._answer(operation, running)
        except Refused as refused:
            await operation.send_initial_errors(refused.errors)
        except RateLimited as problem:
            await self._rate_limited(operation, problem, running.request_id)
        except (CannotGetOperationTypeError, MissingQueryError) as error:
            await self._refuse(operation, GraphQLError(faults.NO_OPERATION, original_error=error), running)
        except GraphQLError as error:
            # The cache of parsed documents raises a syntax error, which the parser would have returned.
            await self._refuse(operation, error, running)
        except (Overloaded, TimedOut, ResponseTooLarge) as problem:
            # Of this operation alone: closing would also end the watches beside it, and bring them all back at once.
            await operation.send_initial_errors(faults.of_problem(problem, running.request_id))
        except Unavailable:
            if not running.codes:
                note_error(ErrorCode.UNAVAILABLE)
            # `complete` or `error` would end a watch for ever; after this close the client resumes.
            await self.websocket.close(TRY_AGAIN_LATER, "Try again later")
        except Exception as error:  # noqa: BLE001  # the last door: a fault is logged whole and told to nobody
            faults.log_fault(error, running.request_id)
            note_error(ErrorCode.INTERNAL_SERVER_ERROR)
            await self.websocket.close(TRY_AGAIN_LATER, "Try again later")

    async def _refuse(self, operation: Operation[Any, None], error: GraphQLError, running: Running) -> None:
        refused = PreExecutionError(data=None, errors=[error])
        await operation.send_initial_errors(faults.published(refused, running.request_id))

    async def _rate_limited(self, operation: Operation[Any, None], problem: RateLimited, request_id: str) -> None:
        """Tell it, and let the socket live; but an error would end for ever a watch that goes on from a cursor."""
        note_error(problem.code)
        if charging.may_be_resumed(operation.query, operation.variables):
            await self.websocket.close(TRY_AGAIN_LATER, str(problem))
        else:
            await operation.send_initial_errors([charging.as_error(problem, request_id)])

    async def _answer(self, operation: Operation[Any, None], running: Running) -> None:
        requested = await self._requested(operation, running.request_id)
        streams = self.pipeline.schema.streams
        if requested.text and streams.is_subscription(requested.text, requested.name):
            await self._watch_if_there_is_room(operation, requested, running)
            return
        async with cast(Connection, self.context).turn:
            if not operation.completed and (message := await self._message(operation, requested)) is not None:
                await self._send_last(operation, message)

    async def _requested(self, operation: Operation[Any, None], request_id: str) -> Requested:
        """The operation, when it has been charged. Raises RateLimited."""
        caller, address = self.context.caller, self.address
        charge = await charging.charge_operation(self.pipeline.budgets, caller, address, operation)
        text, name, variables = operation.query, operation.operation_name, operation.variables
        return Requested(text, name, variables, caller, address, request_id, charge)

    async def _message(self, operation: Operation[Any, None], requested: Requested) -> str | None:
        """The message with the result of a query or mutation: it may wait for long, and nothing else of it is kept."""
        life = self.pipeline.admit(requested)
        result = await within(life, self.pipeline.execute(requested))
        if isinstance(result, bytes):
            return f"{_head(operation)}{budget.data_with_cost(result, requested.charge).decode()}}}"
        return await self._message_of_result(operation, requested, result)

    async def _send_last(self, operation: Operation[Any, None], message: str) -> None:
        if not operation.completed:
            await cast(Socket, self.websocket).send_text(message)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _message_of_result(
        self, operation: Operation[Any, None], requested: Requested, result: ExecutionResult
    ) -> str | None:
        """None when it could not be carried out, which the client hears at once."""
        errors = faults.published(result, requested.request_id)
        if is_request_error(result) and is_our_fault(errors):
            await self.websocket.close(TRY_AGAIN_LATER, "Try again later")
            return None
        if is_request_error(result):
            await operation.send_initial_errors(errors)
            return None
        payload: dict[str, Any] = {"data": result.data}
        payload |= {"errors": faults.formatted(errors)} if errors else {}
        extensions = budget.with_cost({}, requested.charge).get("extensions", result.extensions)
        payload |= {"extensions": extensions} if extensions else {}
        return f"{_head(operation)}{orjson.dumps(payload).decode()}}}"

    async def _watch_if_there_is_room(
        self, operation: Operation[Any, None], requested: Requested, running: Running
    ) -> None:
        pipeline = self.pipeline
        tenant_id = "" if requested.caller is None else requested.caller.tenant_id
        if (too_many := pipeline.watches.begin(tenant_id, requested.text)) is not None:
            if pipeline.schema.streams.is_resumed(requested.text, requested.name, requested.variables):
                # An error would end it for ever, and its place may still be held by a line that is dead.
                await self.websocket.close(TRY_AGAIN_LATER, too_many)
                return
            raise Refused([_too_many(too_many)])
        pipeline.operations.watch_begins(running)
        try:
            await self._watch(operation, requested, running)
        finally:
            pipeline.watches.end(tenant_id, requested.text)

    async def _watch(self, operation: Operation[Any, None], requested: Requested, running: Running) -> None:
        """Send a watch as it comes. It ends with its socket: only an error ends it alone."""
        context = Context(self.pipeline.services, requested.caller, requested.request_id)
        try:
            async with aclosing(self._payloads(requested, context)) as payloads:
                await self._send_payloads(operation, payloads, running)
        finally:
            await context.close()
        # The feed has ended, and so will the process: the client comes back to another one.
        await self.websocket.close(RESTARTING, "The gateway is going away. Connect again.")

    def _payloads(self, requested: Requested, context: Context) -> AsyncGenerator[bytes]:
        admit = partial(self.pipeline.admit_watch, requested)
        toll = charging.toll(requested.charge, requested.caller, requested.address)
        streams = self.pipeline.schema.streams
        return streams.run(requested.text, requested.variables, requested.name, context, admit, toll)

    async def _send_payloads(
        self, operation: Operation[Any, None], payloads: AsyncGenerator[bytes], running: Running
    ) -> None:
        head, socket = _head(operation), cast(Socket, self.websocket)
        async for payload in payloads:
            if not operation.completed:
                running.items += 1
                text = f"{head}{payload.decode()}}}"
                del payload  # a watch waits for long, and need not hold what it sends twice, or what it sent last
                await socket.send_text(text)
                del text


def _head(operation: Operation[Any, None]) -> str:
    """What stands before a payload that is JSON already; thousands may get the same, each with an ID of its own."""
    return f'{{"id":{orjson.dumps(operation.id).decode()},"type":"next","payload":'


def _too_many(message: str) -> GraphQLError:
    note_error(ErrorCode.RATE_LIMITED)
    return GraphQLError(message, extensions={"code": ErrorCode.RATE_LIMITED, "requestId": uuid4().hex})
