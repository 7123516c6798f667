"""Lines to the services of a cloud, which a test cuts: for the gateway the service is then down."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tests.chaos.proxy import Link
from tests.cloud.cloud import Cloud
from tests.harness.kernel import free_port


class Line:
    """A port that leads to the port of a service until it is cut."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: dict[Link, asyncio.Task[None] | None] = {}

    async def connect(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Refuse new connections, and reset those that there are."""
        if self._server is not None:
            self._server.close()
        links = dict(self._links)
        for link in links:
            link.cut()
        await asyncio.gather(*filter(None, links.values()), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            link = Link(0, (reader, writer), await asyncio.open_connection("127.0.0.1", self._target))
        except OSError:
            writer.transport.abort()
            return
        self._links[link] = asyncio.current_task()
        try:
            with suppress(OSError):
                await link.run()
        finally:
            del self._links[link]


@dataclass(frozen=True)
class LinedCloud:
    """The cloud as the gateway reaches it, and the line to each of its services."""

    cloud: Cloud
    lines: dict[str, Line]


@asynccontextmanager
async def lines_to(cloud: Cloud) -> AsyncGenerator[LinedCloud]:
    """Lines to Keystone, Glance and RabbitMQ, until the block ends."""
    urls = {"keystone": cloud.keystone_url, "glance": cloud.glance_url, "bus": cloud.bus_url}
    lines: dict[str, Line] = {}
    async with AsyncExitStack() as stack:
        for name, url in urls.items():
            if url is None:
                continue
            port = urlsplit(url).port
            assert port is not None
            lines[name] = line = Line(port)
            await line.connect()
            stack.push_async_callback(line.cut)
            urls[name] = url.replace(f":{port}", f":{line.port}")
        assert urls["keystone"] is not None
        assert urls["glance"] is not None
        reached = replace(cloud, keystone_url=urls["keystone"], glance_url=urls["glance"], bus_url=urls["bus"])
        yield LinedCloud(reached, lines)
