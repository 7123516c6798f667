"""Exceptions in the log: their type and location, and their message only if it quotes no client."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from graphql import GraphQLError, Source, parse
from sqlalchemy import create_engine, make_url, text

from app.errors import Unavailable
from app.logs import OURS, log_unhandled_exceptions
from app.tracebacks import format_traceback, headline
from tests.harness.databases import PostgresDatabases

ROOT = Path(__file__).parent.parent.parent
SECRET = "hunter2"


def raised(act: Callable[[], Any]) -> Exception:
    try:
        act()
    except Exception as error:  # noqa: BLE001  # the test asserts on it, whatever it is
        return error
    raise AssertionError("nothing was raised")


def _misread() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        raise GraphQLError(SECRET, parse(Source(f'{{ image(id: "{SECRET}") {{ id }} }}')).definitions) from error


@pytest.mark.parametrize(
    "act",
    [
        lambda: int(SECRET),
        lambda: {}[SECRET],
        _misread,
        lambda: (_ for _ in ()).throw(ExceptionGroup(SECRET, [ValueError(SECRET)])),
    ],
)
def test_values_in_messages_are_omitted(act: Callable[[], Any]) -> None:
    logged = format_traceback(raised(act))

    assert SECRET not in logged
    assert "Traceback" in logged
    assert "test_tracebacks.py" in logged
    assert "Error" in logged


def test_the_cause_of_an_exception_is_logged_first() -> None:
    logged = format_traceback(raised(_misread))

    assert logged.index("\nValueError\n") < logged.index("\nIt led to:\n") < logged.rindex("GraphQLError")


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (Unavailable("The store can't be reached."), "app.errors.Unavailable: The store can't be reached."),
        (FileNotFoundError(2, "No such file or directory", SECRET), "FileNotFoundError: No such file or directory"),
        (AttributeError("'NoneType' has no 'id'"), "AttributeError: 'NoneType' has no 'id'"),
        (sqlite3.OperationalError("disk I/O error"), "sqlite3.OperationalError: disk I/O error"),
        (psycopg.OperationalError("no line\nmore"), "psycopg.OperationalError: no line"),
    ],
)
def test_messages_about_the_code_and_its_environment_are_kept(error: Exception, logged: str) -> None:
    assert headline(error) == logged


@pytest.mark.parametrize(
    ("statement", "logged"),
    [
        ("SELECT CAST(:value AS integer)", "psycopg.errors.InvalidTextRepresentation: SQLSTATE 22P02"),
        ("INSERT INTO event_head SELECT 1, 0, 0, :value, 'x' FROM event_head", "duplicate key value violates unique"),
        ("SELECT :value || nothing", 'column "nothing" does not exist'),
    ],
)
def test_postgresqls_messages_keep_the_schema_and_omit_values(
    postgres_databases: PostgresDatabases, statement: str, logged: str
) -> None:
    engine = create_engine(make_url(postgres_databases.fresh()))
    with closing(engine.raw_connection()) as line, engine.connect() as connection:
        error = raised(lambda: connection.execute(text(statement), {"value": SECRET}))
        line.rollback()
    engine.dispose()

    assert SECRET in str(error)
    assert logged in format_traceback(error)
    assert SECRET not in format_traceback(error)


def test_only_our_own_loggers_log_at_debug() -> None:
    found = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py")).split('structlog.get_logger("')[1:]

    assert {piece.partition('"')[0] for piece in found} == set(OURS)


async def test_an_unawaited_fault_is_logged_without_values(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    log_unhandled_exceptions(loop)
    try:
        loop.call_soon(int, SECRET)
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)

    [record] = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("asyncio", logging.ERROR, "Exception in callback int")
    assert record.exc_info is not None
