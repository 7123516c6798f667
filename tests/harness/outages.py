"""Makes databases unavailable for a while."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from sqlalchemy import make_url


@contextmanager
def database_outage(url: str) -> Generator[None]:
    """Refuse and cut all connections to a PostgreSQL database, or lock a SQLite file, until the block ends."""
    with _locked_file(url) if url.startswith("sqlite") else _closed_database(url):
        yield


@contextmanager
def _locked_file(url: str) -> Generator[None]:
    holder = sqlite3.connect(str(make_url(url).database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@contextmanager
def _closed_database(url: str) -> Generator[None]:
    place = make_url(url)
    administration = place.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(administration, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {place.database} ALLOW_CONNECTIONS false".encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [place.database])
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {place.database} ALLOW_CONNECTIONS true".encode())
