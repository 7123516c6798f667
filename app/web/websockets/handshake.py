"""The start of a WebSocket: its quotas, its token, and the form of its messages."""

import asyncio
from typing import Any, cast

from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from app.errors import Problem, RateLimited, Unauthenticated, Unavailable
from app.model import Caller
from app.web.callers.identity import IdentityProvider, Lease, connection_token
from app.web.limits import charging
from app.web.limits.socket_quota import SocketSlot
from app.web.pipeline import Pipeline
from app.web.websockets.connection import Socket
from app.web.websockets.messages import fault_of
from app.web.wire.problems import EXPIRED_TOKEN, Close, handling_of


class HandshakeHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's protocol handler, with a quota slot and a lease for each socket, and close codes of our own."""

    _slot: SocketSlot
    _lease: Lease | None = None
    _closing: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        """Serve the client, if the quotas allow one more socket."""
        self._slot = SocketSlot(cast(Any, self.view).quotas, charging.network_of(cast(Socket, self.websocket).ws))
        try:
            if (reason := self._slot.acquire()) is not None:
                await self._refuse_socket(RateLimited(reason))
            else:
                await super().handle()
        finally:
            self._slot.release()

    async def handle_message(self, message: Any) -> None:
        """Close on messages that violate the protocol; Strawberry handles all others."""
        if (fault := fault_of(message)) is not None:
            await self.handle_invalid_message(fault)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:
        """Identify the caller, or close the socket with a code that says whether a fresh token would help."""
        payload = cast(dict[str, Any], message.get("payload") or {})
        if (timeout := cast(Any, self).connection_init_timeout_task) is not None and not self.connection_timed_out:
            timeout.cancel()  # the message arrived in time, though fetching the key of its token may take a moment
            cast(Any, self).connection_init_timeout_task = None  # with its frames it holds more than a kilobyte
        try:
            await self._identify(payload)
        except (Unauthenticated, Unavailable, RateLimited) as problem:
            await self._refuse_socket(problem)
        else:
            await super().handle_connection_init({"type": "connection_init", "payload": payload})

    async def _identify(self, payload: dict[str, Any]) -> None:
        token, caller = await self._caller(payload)
        if token is None or caller is None or self.context.caller is not None:
            return
        if (reason := self._slot.move_to_tenant(caller.tenant_id)) is not None:
            raise RateLimited(reason)
        self.context.caller = caller
        self._lease = cast(Any, self.view).identities.lease(token, self._expire)

    async def _caller(self, payload: dict[str, Any]) -> tuple[str | None, Caller | None]:
        identities: IdentityProvider = cast(Any, self.view).identities
        try:
            headers = cast(Socket, self.websocket).ws.headers
            token = connection_token(payload, headers, identities.token_header)
            return token, None if token is None else await identities.identify(token)
        except Unauthenticated:
            charging.charge_bad_token(self.pipeline.budgets, self.address)
            raise

    async def _refuse_socket(self, problem: Problem) -> None:
        if (close := handling_of(problem).on_init) is not None:
            await self.close(close, str(problem))

    async def close(self, close: Close, message: str = "") -> None:
        """Close the socket. The message is the reason if the close has none of its own."""
        await self.websocket.close(close.code, close.reason or message)

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
        reason = "The token has expired, or its key was withdrawn. Reconnect with a fresh token."
        self._closing = asyncio.create_task(self.websocket.close(EXPIRED_TOKEN, reason))
