"""GraphQL over server-sent events, one operation a connection, for those whose proxies break WebSockets.

An event is written as the protocol of graphql-sse has it, with the cursor as its id. A watch that can't go on just now
is cut without `complete`, after which clients come again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import orjson
from starlette.types import Message, Receive, Scope, Send

from app.api.operation import faults
from app.api.operation.context import Context
from app.api.watch.operation import Refused
from app.errors import Unavailable
from app.web.callers.identity import Lease
from app.web.monitoring.operation import Running
from app.web.wire.disconnect import wait_for_disconnect
from app.web.wire.parameters import EVENT_STREAM

HEARTBEAT_SECONDS = 15.0


class Events:
    """The ASGI response: written as the events come, until they end, the token expires or the client goes away."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        lease: Callable[[Callable[[], object]], Lease] | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._chunks = chunks
        self._lease = lease
        self._on_end = on_end
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        written = {"content-type": f"{EVENT_STREAM}; charset=utf-8", "x-accel-buffering": "no", **self.headers}
        headers = [(name.lower().encode(), value.encode()) for name, value in written.items()]
        gone = asyncio.create_task(wait_for_disconnect(receive))
        lease = None if self._lease is None else self._lease(gone.cancel)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with aclosing(self._chunks):
                await self._write(gone, send)
        finally:
            gone.cancel()
            if lease is not None:
                lease.cancel()
            self._on_end()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, gone: asyncio.Task[None], send: Send) -> None:
        chunk = asyncio.ensure_future(self._next(send))
        try:
            while not gone.done():
                await asyncio.wait({chunk, gone}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                body = chunk.result() if chunk.done() else b":\n\n"
                if body is None or gone.done():
                    return
                await send(_part(body))
                del body  # a watch waits for long, and need not hold what it sent last
                if chunk.done():
                    chunk = asyncio.ensure_future(self._next(send))
        finally:
            chunk.cancel()
            await asyncio.gather(chunk, return_exceptions=True)

    async def _next(self, send: Send) -> bytes | None:
        """Made when the client has taken most of the last one, beside which it would wait without being counted."""
        await send(_part(b""))
        return await anext(self._chunks, None)


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def of_watch(
    payloads: AsyncGenerator[bytes, None], context: Context, running: Running
) -> AsyncGenerator[bytes, None]:
    """The events of a subscription."""
    try:
        async with aclosing(payloads):
            async for payload in payloads:
                running.items += 1
                event = [_event(payload, orjson.loads(payload)["extensions"]["cursor"])]
                del payload  # a watch waits for long, and need not hold what it sent last
                yield event.pop()
    except Refused as refused:
        yield _event(orjson.dumps({"errors": faults.formatted(refused.errors)}))
        yield COMPLETE
    except Unavailable:
        return
    finally:
        await context.close()


async def of_answer(payload: bytes) -> AsyncGenerator[bytes, None]:
    """The events of a query or a mutation."""
    event = [_event(payload)]
    del payload  # the client may take its time, and meanwhile nothing is kept beside what waits to be sent
    yield event.pop()
    yield COMPLETE


COMPLETE = b"event: complete\ndata:\n\n"


def _event(payload: bytes, cursor: str | None = None) -> bytes:
    place = b"" if cursor is None else b"id: " + cursor.encode() + b"\n"
    return b"event: next\n" + place + b"data: " + payload + b"\n\n"
