"""PostgreSQL's LISTEN and NOTIFY, which carry hints between workers, without data."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy import URL

logger: Any = structlog.get_logger("hint")
CHANNEL = "image_gateway_log"
COALESCE_SECONDS = 0.002
PROBE_SECONDS = 5.0
RECONNECT_SECONDS = 0.5
# One for LISTEN and one for NOTIFY.
SESSIONS = 2


class Notifier:
    """Sends hints to the other workers, and receives theirs. Its sessions reconnect in the background."""

    def __init__(self, url: URL, on_hint: Callable[[], None]) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._on_hint = on_hint
        self._pending = asyncio.Event()
        self._sessions: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._sessions = [asyncio.create_task(self._keep_connected(run)) for run in (self._listen, self._send)]

    def notify(self) -> None:
        """Something was committed. Hints that come close together are sent as one."""
        self._pending.set()

    async def stop(self) -> None:
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _keep_connected(self, run: Callable[[Any], Awaitable[None]]) -> None:
        import psycopg

        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=5, application_name=CHANNEL
                ) as conn:
                    await run(conn)
            except Exception as error:  # noqa: BLE001  # the poll delivers meanwhile; the session is made anew
                logger.warning("no hints between workers just now", reason=str(error).strip())
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, conn: Any) -> None:
        await conn.execute(f"LISTEN {CHANNEL}")
        while True:
            # Hints sent before LISTEN are lost, so the log is read now. The statement also finds out whether the
            # connection is still alive.
            await conn.execute("SELECT 1")
            self._on_hint()
            async for _ in conn.notifies(timeout=PROBE_SECONDS):
                self._on_hint()

    async def _send(self, conn: Any) -> None:
        while True:
            await self._pending.wait()
            await asyncio.sleep(COALESCE_SECONDS)
            # What is committed from here on needs another hint; a session that fails now leaves this one to the next.
            self._pending.clear()
            try:
                await conn.execute(f"NOTIFY {CHANNEL}")
            except Exception:
                self._pending.set()
                raise
