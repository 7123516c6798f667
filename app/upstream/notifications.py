"""Glance's notifications over RabbitMQ: each names an image that may have changed, and no more is taken from it."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import aio_pika
import orjson
from aio_pika.exceptions import AMQPException, ChannelNotFoundEntity

from app.upstream.errors import Unreached, Unreadable

EXCHANGE, KEY = "glance", "notifications.info"
CONNECT_SECONDS = 10
PREFETCHED = 100
LONGEST = 1_000_000


class Notifications:
    """A durable queue of our own, so that what comes while nobody reads it waits there."""

    def __init__(self, url: str, queue: str) -> None:
        self._url = url
        self._queue = queue

    async def follow(self, on_connected: Callable[[], None], on_image: Callable[[str], Awaitable[None]]) -> None:
        """Tell of each image until the connection ends. A message is gone only when `on_image` has returned.

        Raises Unreached.
        """
        try:
            connection = await aio_pika.connect(self._url, timeout=CONNECT_SECONDS)
            async with connection:
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=PREFETCHED)
                queue = await channel.declare_queue(self._queue, durable=True)
                # Only looked up: it is Glance's, and is there once Glance has sent something.
                exchange = await channel.get_exchange(EXCHANGE, ensure=True)
                await queue.bind(exchange, KEY)
                on_connected()
                async with queue.iterator() as messages:
                    async for message in messages:
                        async with message.process(requeue=True):
                            if (image_id := image_in(message.body)) is not None:
                                await on_image(image_id)
        except (AMQPException, OSError, TimeoutError) as error:
            raise Unreached(f"RabbitMQ can't be reached: {type(error).__name__}") from None

    async def check(self) -> None:
        """Raises Unreached, or Unreadable if Glance has never sent a notification."""
        try:
            async with await aio_pika.connect(self._url, timeout=CONNECT_SECONDS) as connection:
                await (await connection.channel()).get_exchange(EXCHANGE, ensure=True)
        except ChannelNotFoundEntity:
            raise Unreadable(f"RabbitMQ has no exchange {EXCHANGE!r}") from None
        except (AMQPException, OSError, TimeoutError) as error:
            raise Unreached(f"RabbitMQ can't be reached: {type(error).__name__}") from None


def image_in(body: bytes) -> str | None:
    """The ID of the image that a notification is about; None if it is about something else, or can't be read."""
    try:
        if len(body) > LONGEST:
            return None
        outer = _object(orjson.loads(body))
        event = _object(orjson.loads(outer["oslo.message"])) if "oslo.message" in outer else outer
        payload = _object(event["payload"])
        found = payload.get("image_id") or payload["id"]
        is_image = str(event["event_type"]).startswith("image.")
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return found if is_image and isinstance(found, str) and len(found) <= 36 else None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("it is not an object")
    return cast(dict[str, Any], value)
