"""GraphQL over WebSocket: graphql-transport-ws, with a Context of its own for each operation.

Close codes are what clients act on: 4400 the client broke the protocol, 4401 a token that will never do, 4403 a fresh
token would help, 1013 try again later. The rest are Strawberry's, as the protocol gives them.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, cast
from uuid import uuid4

import orjson
from graphql import GraphQLError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    Operation,
)
from strawberry.types.execution import ExecutionResult, PreExecutionError

from app.api import faults
from app.api.context import Context
from app.api.notes import note_error
from app.api.schema import GatewaySchema
from app.api.streams import Streams, Toll
from app.api.watch_operation import Refused
from app.errors import (
    ErrorCode,
    Overloaded,
    Problem,
    RateLimited,
    ResponseTooLarge,
    TimedOut,
    Unavailable,
)
from app.lifetime import Lifetime, within
from app.web.execution import carried_out, is_our_fault, is_request_error
from app.web.limits import budget, charging
from app.web.limits.budget import Charge
from app.web.limits.load import Load
from app.web.limits.watches import Watches
from app.web.monitoring.running import WEBSOCKET, Running
from app.web.websockets.connection import Connection, Socket
from app.web.websockets.greeting import RESTARTING, TRY_AGAIN_LATER, Greeter


class TransportHandler(Greeter):
    """What a client that was let in asks: each operation with a Context of its own."""

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
        view, caller = cast(Any, self.view), self.context.caller
        try:
            view.persisted.put_into(payload, caller and caller.tenant_id)
        except Problem as problem:
            try:
                charging.charge_unread(view.budgets, caller, self.address)
            except RateLimited as limited:
                if charging.may_be_resumed(payload.get("query"), payload.get("variables")):
                    await self.websocket.close(TRY_AGAIN_LATER, str(limited))
                return faults.of_problem(limited, uuid4().hex)
            return faults.of_problem(problem, uuid4().hex)
        return []

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        view = cast(Any, self.view)
        context = Context(view.services, self.context.caller, uuid4().hex)
        with view.operations.running(WEBSOCKET, context.request_id) as running:
            running.asks(operation.query, operation.operation_name, operation.variables)
            running.caller = self.context.caller
            await self._run(operation, context, running)

    async def _run(self, operation: Operation[Any, None], context: Context, running: Running) -> None:
        try:
            await self._answer(operation, context, running)
        except Refused as refused:
            await operation.send_initial_errors(refused.errors)
        except RateLimited as problem:
            await self._rate_limited(operation, problem, context.request_id)
        except GraphQLError as error:
            # The cache of parsed documents raises a syntax error, which the parser would have returned.
            refused = PreExecutionError(data=None, errors=[error])
            await operation.send_initial_errors(faults.published(refused, context.request_id))
        except (Overloaded, TimedOut, ResponseTooLarge) as problem:
            # Of this operation alone: closing would also end the watches beside it, and bring them all back at once.
            await operation.send_initial_errors(faults.of_problem(problem, context.request_id))
        except Unavailable:
            if not running.codes:
                note_error(ErrorCode.UNAVAILABLE)
            # `complete` or `error` would end a watch for ever; after this close the client resumes.
            await self.websocket.close(TRY_AGAIN_LATER, "Try again later")
        except Exception as error:  # noqa: BLE001  # the last door: a fault is logged whole and told to nobody
            faults.log_fault(error, context.request_id)
            note_error(ErrorCode.INTERNAL_SERVER_ERROR)
            await self.websocket.close(TRY_AGAIN_LATER, "Try again later")
        finally:
            await context.close()

    async def _rate_limited(self, operation: Operation[Any, None], problem: RateLimited, request_id: str) -> None:
        """Tell it, and let the socket live; but an error would end for ever a watch that goes on from a cursor."""
        note_error(problem.code)
        if charging.may_be_resumed(operation.query, operation.variables):
            await self.websocket.close(TRY_AGAIN_LATER, str(problem))
        else:
            await operation.send_initial_errors([charging.as_error(problem, request_id)])

    async def _answer(self, operation: Operation[Any, None], context: Context, running: Running) -> None:
        caller = self.context.caller
        charge = await charging.charge_operation(cast(Any, self.view).budgets, caller, self.address, operation)
        streams = cast(GatewaySchema, self.schema).streams
        if operation.query and streams.is_subscription(operation.query, operation.operation_name):
            admit, toll = partial(self._admit_watch, charge), charging.toll(charge, caller, self.address)
            await self._watch_if_there_is_room(streams, operation, context, running, admit, toll)
            return
        async with cast(Connection, self.context).turn:
            if not operation.completed:
                await self._execute(operation, context, charge)

    async def _execute(self, operation: Operation[Any, None], context: Context, charge: Charge | None) -> None:
        if (text := await self._rendered(operation, context, charge)) is None:
            return
        if not operation.completed:
            await cast(Socket, self.websocket).send_text(text)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _rendered(self, operation: Operation[Any, None], context: Context, charge: Charge | None) -> str | None:
        """The message with the result of a query or mutation: it may wait for long, and nothing else of it is kept."""
        done = await self._carried_out(operation, context, charge)
        if isinstance(done, bytes):
            return f"{_head(operation)}{budget.data_with_cost(done, charge).decode()}}}"
        return await self._rendered_result(operation, done, context, charge)

    async def _carried_out(
        self, operation: Operation[Any, None], context: Context, charge: Charge | None
    ) -> bytes | ExecutionResult:
        view, caller = cast(Any, self.view), self.context.caller
        try:
            life = cast(Load, view.load).admit(operation.query, operation.operation_name)
            return await within(life, carried_out(view.planner, view.schema, operation, caller, context))
        except Overloaded:
            charging.refund(charge, caller, self.address)
            raise

    def _admit_watch(self, charge: Charge | None) -> Lifetime:
        try:
            return cast(Load, cast(Any, self.view).load).admit_watch()
        except Unavailable:
            charging.refund(charge, self.context.caller, self.address)
            raise

    async def _watch_if_there_is_room(
        self,
        streams: Streams,
        operation: Operation[Any, None],
        context: Context,
        running: Running,
        admit: Callable[[], Lifetime],
        toll: Toll | None,
    ) -> None:
        watches: Watches = cast(Any, self.view).watches
        tenant_id = "" if self.context.caller is None else self.context.caller.tenant_id
        if (too_many := watches.begin(tenant_id, operation.query)) is not None:
            if streams.is_resumed(operation.query, operation.operation_name, operation.variables):
                # An error would end it for ever, and its place may still be held by a line that is dead.
                await self.websocket.close(TRY_AGAIN_LATER, too_many)
                return
            raise Refused([_too_many(too_many)])
        cast(Any, self.view).operations.watch_begins(running)
        payloads = streams.run(operation.query, operation.variables, operation.operation_name, context, admit, toll)
        try:
            await self._watch(operation, running, payloads)
        finally:
            watches.end(tenant_id, operation.query)

    async def _watch(self, operation: Operation[Any, None], running: Running, payloads: AsyncGenerator[bytes]) -> None:
        """Send a watch as it comes. It ends with its socket: only an error ends it alone."""
        head = _head(operation)
        socket = cast(Socket, self.websocket)
        async with aclosing(payloads):
            async for payload in payloads:
                if not operation.completed:
                    running.items += 1
                    text = f"{head}{payload.decode()}}}"
                    del payload  # a watch waits for long, and need not hold what it sends twice, or what it sent last
                    await socket.send_text(text)
                    del text
        # The feed has ended, and so will the process: the client comes back to another one.
        await self.websocket.close(RESTARTING, "The gateway is going away. Connect again.")

    async def _rendered_result(
        self, operation: Operation[Any, None], result: ExecutionResult, context: Context, charge: Charge | None
    ) -> str | None:
        """None when it could not be carried out, which the client hears at once."""
        errors = faults.published(result, context.request_id)
        # Sending may take as long as the client likes, and meanwhile it must not hold a view of the store.
        await context.renew()
        if is_request_error(result) and is_our_fault(errors):
            await self.websocket.close(TRY_AGAIN_LATER, "Try again later")
            return None
        if is_request_error(result):
            await operation.send_initial_errors(errors)
            return None
        extensions = budget.with_cost({}, charge).get("extensions", result.extensions)
        payload: dict[str, Any] = {"data": result.data}
        payload |= {"errors": faults.formatted(errors)} if errors else {}
        payload |= {"extensions": extensions} if extensions else {}
        return f"{_head(operation)}{orjson.dumps(payload).decode()}}}"


def _head(operation: Operation[Any, None]) -> str:
    """What stands before a payload that is JSON already; thousands may get the same, each with an ID of its own."""
    return f'{{"id":{orjson.dumps(operation.id).decode()},"type":"next","payload":'


def _too_many(message: str) -> GraphQLError:
    note_error(ErrorCode.RATE_LIMITED)
    return GraphQLError(message, extensions={"code": ErrorCode.RATE_LIMITED, "requestId": uuid4().hex})
