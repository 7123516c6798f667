"""Whether a client still waits for its answer."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")


class Gone(Exception):
    """The client has closed its line, and nobody is there to be told."""


async def while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives, while its client waits for it. Raises Gone, after which nothing more of the work begins.

    The body must have been read: whatever else comes is the client's end.
    """
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(until_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        return working.result()
    finally:
        gone.cancel()
        if not working.done():
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


async def until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
