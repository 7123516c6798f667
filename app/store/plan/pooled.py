"""Reads plans from PostgreSQL through a separate pool whose connections keep their prepared statements.

SQLAlchemy's pool ends each use with a ROLLBACK, which makes the driver drop its prepared statements. The server would
then plan every read again, which takes longer than executing it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL

from app import lifetime
from app.errors import Overloaded, ResponseTooLarge
from app.store.database import AWAY, Store
from app.store.engines import engine
from app.store.plan.answer import MOST_BYTES, Answer, StatementFailed
from app.store.plan.dialects import Dialect, Postgres
from app.store.plan.placeholders import complete
from app.store.plan.statement import Statement

CONNECTIONS = 4
# The timeout for getting a connection and for reconnecting. The next read tries again.
PATIENCE_SECONDS = 4


class PostgresReader:
    """Runs each statement in autocommit mode, since one statement reads a single snapshot."""

    def __init__(self, store: Store, most_bytes: int = MOST_BYTES) -> None:
        self.dialect: Dialect = Postgres(most_bytes)
        self._store = store
        self._most_bytes = most_bytes
        self._pool: Any = None

    def try_read(self, statement: Statement, values: Mapping[str, Any]) -> Answer | None:
        return None

    async def read(self, statement: Statement, values: Mapping[str, Any]) -> Answer:
        if not self._store.is_open:
            raise Overloaded(AWAY)
        return await self._store.unit(self._read(statement.sql, values))

    def connections(self) -> dict[str, tuple[int, int]]:
        known: dict[str, int] = {} if self._pool is None else self._pool.get_stats()
        return {"plans": (known.get("pool_size", 0) - known.get("pool_available", 0), CONNECTIONS)}

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    async def _read(self, sql: str, values: Mapping[str, Any]) -> Answer:
        import psycopg
        from psycopg_pool import PoolTimeout

        try:
            text, seq = await self._row(sql, values)
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as error:
            raise StatementFailed(str(error)) from error
        except PoolTimeout as error:
            raise Overloaded("The store is busy just now. Nothing was begun; try again in a moment.") from error
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            # Executing the query without a plan would wait for the same store again.
            raise Overloaded(AWAY) from error
        if text is None:
            raise ResponseTooLarge(self._most_bytes)
        return Answer(complete(text.encode(), self._most_bytes), seq)

    async def _row(self, sql: str, values: Mapping[str, Any]) -> Any:
        pool = await self._open_pool()
        async with pool.connection() as conn:
            lifetime.require()
            try:
                return await _fetch(conn, sql, values)
            except Exception:  # a dead pooled connection is only noticed here; anything else is raised
                if not conn.broken:
                    raise
        # Reads are safe to repeat.
        async with pool.connection() as conn:
            lifetime.require()
            return await _fetch(conn, sql, values)

    async def _open_pool(self) -> Any:
        if self._pool is None:
            from psycopg_pool import AsyncConnectionPool

            self._pool = AsyncConnectionPool(
                _conninfo(self._store.url),
                kwargs={**engine.postgres_arguments(self._store.url), "autocommit": True},
                min_size=0,
                max_size=CONNECTIONS,
                timeout=PATIENCE_SECONDS,
                reconnect_timeout=PATIENCE_SECONDS,
                open=False,
            )
            await self._pool.open()
        return self._pool


async def _fetch(conn: Any, sql: str, values: Mapping[str, Any]) -> Any:
    return await (await conn.execute(sql, values, prepare=True)).fetchone()


def _conninfo(url: URL) -> str:
    address = url.set(drivername="postgresql").difference_update_query(["options"])
    return address.render_as_string(hide_password=False)
