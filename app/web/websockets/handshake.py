"""How a WebSocket is let in, and when it is sent away: its quota, its token and its protocol."""

import asyncio
from typing import Any, cast

from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from app.errors import RateLimited, TokenExpired, Unauthenticated, Unavailable
from app.web.callers.identity import Lease, from_connection
from app.web.limits import charging
from app.web.limits.socket_quota import SocketSlot
from app.web.pipeline import Pipeline
from app.web.websockets.connection import Socket
from app.web.websockets.messages import fault_of

PROTOCOL_BROKEN, TOKEN_INVALID, TOKEN_EXPIRED, TRY_AGAIN_LATER, RESTARTING = 4400, 4401, 4403, 1013, 1012


class Greeter(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's protocol handler, with a quota slot and a lease for each socket, and exact close codes."""

    _slot: SocketSlot
    _lease: Lease | None = None
    _closing: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        """Serve the client, if the quotas allow one more socket."""
        self._slot = SocketSlot(cast(Any, self.view).quotas, charging.network_of(cast(Socket, self.websocket).ws))
        try:
            if (full := self._slot.acquire()) is not None:
                await self.websocket.close(TRY_AGAIN_LATER, full)
            else:
                await super().handle()
        finally:
            self._slot.release()

    async def handle_message(self, message: Any) -> None:
        """Refuse what breaks the protocol; the rest is Strawberry's."""
        if (fault := fault_of(message)) is not None:
            await self.handle_invalid_message(fault)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:
        """Find out who is calling; a socket whose token does not count is closed with the code that fits."""
        view, payload = cast(Any, self.view), cast(dict[str, Any], message.get("payload") or {})
        if (timeout := cast(Any, self).connection_init_timeout_task) is not None and not self.connection_timed_out:
            timeout.cancel()  # it has come in time, though the key that verifies it may take a moment
            cast(Any, self).connection_init_timeout_task = None  # with its frames it weighs more than a kilobyte
        try:
            token = from_connection(payload, cast(Socket, self.websocket).ws.headers.get("authorization"))
            caller = None if token is None else await view.identities.identify(token)
        except Unauthenticated as error:
            await self._refuse_token(error)
            return
        except Unavailable as error:
            await self.websocket.close(TRY_AGAIN_LATER, str(error))
            return
        if self.context.caller is None and caller is not None:
            if (full := self._slot.move_to_tenant(caller.tenant_id)) is not None:
                await self.websocket.close(TRY_AGAIN_LATER, full)
                return
            self.context.caller = caller
            self._lease = view.identities.lease(token, self._expire)
        await super().handle_connection_init({"type": "connection_init", "payload": payload})

    async def _refuse_token(self, error: Unauthenticated) -> None:
        try:
            charging.charge_bad_token(self.pipeline.budgets, self.address)
        except RateLimited as problem:
            await self.websocket.close(TRY_AGAIN_LATER, str(problem))
        else:
            code = TOKEN_EXPIRED if isinstance(error, TokenExpired) else TOKEN_INVALID
            await self.websocket.close(code, str(error))

    async def shutdown(self) -> None:
        if self._lease is not None:
            self._lease.cancel()
        await super().shutdown()

    @property
    def pipeline(self) -> Pipeline:
        return cast(Any, self.view).pipeline

    @property
    def address(self) -> str:
        return charging.address_of(cast(Socket, self.websocket).ws)

    def _expire(self) -> None:
        reason = "The token has expired, or its key was withdrawn. Connect again with a fresh one."
        self._closing = asyncio.create_task(self.websocket.close(TOKEN_EXPIRED, reason))
