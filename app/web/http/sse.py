"""GraphQL over server-sent events, one operation per connection, in the form of graphql-sse.

The ID of an event is its cursor. A watch that can't go on ends without `complete`, so that its client reconnects.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import orjson
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.api.operation import faults
from app.api.operation.context import Context
from app.api.watch.operation import WatchFailed
from app.errors import Unavailable
from app.web.callers.identity import Lease
from app.web.monitoring.operation import OperationRecord
from app.web.wire.disconnect import wait_for_disconnect
from app.web.wire.parameters import EVENT_STREAM

HEARTBEAT_SECONDS = 15.0


class EventStream:
    """The ASGI response: events until they end, the token expires or the client disconnects."""

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        lease: Callable[[Callable[[], object]], Lease] | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._events = events
        self._lease = lease
        self._on_end = on_end
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields = {"content-type": f"{EVENT_STREAM}; charset=utf-8", "x-accel-buffering": "no", **self.headers}
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        gone = asyncio.create_task(wait_for_disconnect(receive))
        lease = None if self._lease is None else self._lease(gone.cancel)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with aclosing(self._events):
                await self._write(gone, send)
        finally:
            gone.cancel()
            if lease is not None:
                lease.cancel()
            self._on_end()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, gone: asyncio.Task[None], send: Send) -> None:
        event = asyncio.ensure_future(self._next(send))
        try:
            while not gone.done():
                await asyncio.wait({event, gone}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                body = event.result() if event.done() else b":\n\n"
                if body is None or gone.done():
                    return
                await send(_part(body))
                del body  # a watch may wait for long, and need not hold its last event meanwhile
                if event.done():
                    event = asyncio.ensure_future(self._next(send))
        finally:
            event.cancel()
            await asyncio.gather(event, return_exceptions=True)

    async def _next(self, send: Send) -> bytes | None:
        """The next event, produced only once the client has read most of the last one: sending the empty part waits."""
        await send(_part(b""))
        return await anext(self._events, None)


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def watch_events(
    payloads: AsyncGenerator[bytes, None], context: Context, record: OperationRecord
) -> AsyncGenerator[bytes, None]:
    """The events of a subscription."""
    try:
        async with aclosing(payloads):
            async for payload in payloads:
                record.items += 1
                event = [_event(payload, orjson.loads(payload)["extensions"]["cursor"])]
                del payload  # a watch may wait for long, and need not hold its last payload meanwhile
                yield event.pop()
    except WatchFailed as failure:
        yield _event(orjson.dumps({"errors": faults.format_errors(failure.errors)}))
        yield COMPLETE
    except Unavailable:
        return
    finally:
        await context.close()


def response_events(response: Response) -> EventStream:
    """A stream with one response, and `complete`."""
    return EventStream(_single_event(bytes(response.body)))


async def _single_event(payload: bytes) -> AsyncGenerator[bytes, None]:
    event = [_event(payload)]
    del payload  # the client may take long to read the event, and only that is to be held meanwhile
    yield event.pop()
    yield COMPLETE


COMPLETE = b"event: complete\ndata:\n\n"


def _event(payload: bytes, cursor: str | None = None) -> bytes:
    id = b"" if cursor is None else b"id: " + cursor.encode() + b"\n"
    return b"event: next\n" + id + b"data: " + payload + b"\n\n"
