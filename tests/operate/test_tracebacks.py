"""Exceptions in the log: of what kind, and where; what they say only where it quotes no client."""

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
    except Exception as error:  # noqa: BLE001  # whatever it is, the test looks at it
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
def test_values_in_messages_are_left_out(act: Callable[[], Any]) -> None:
    told = format_traceback(raised(act))

    assert SECRET not in told
    assert "Traceback" in told
    assert "test_tracebacks.py" in told
    assert "Error" in told


def test_what_led_to_an_exception_is_told_first() -> None:
    told = format_traceback(raised(_misread))

    assert told.index("\nValueError\n") < told.index("\nIt led to:\n") < told.rindex("GraphQLError")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("The store can't be reached."), "app.errors.Unavailable: The store can't be reached."),
        (FileNotFoundError(2, "No such file or directory", SECRET), "FileNotFoundError: No such file or directory"),
        (AttributeError("'NoneType' has no 'id'"), "AttributeError: 'NoneType' has no 'id'"),
        (sqlite3.OperationalError("disk I/O error"), "sqlite3.OperationalError: disk I/O error"),
        (psycopg.OperationalError("no line\nmore"), "psycopg.OperationalError: no line"),
    ],
)
def test_messages_about_the_code_and_its_surroundings_stay(error: Exception, told: str) -> None:
    assert headline(error) == told


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT CAST(:value AS integer)", "psycopg.errors.InvalidTextRepresentation: SQLSTATE 22P02"),
        ("INSERT INTO event_head SELECT 1, 0, 0, :value, 'x' FROM event_head", "duplicate key value violates unique"),
        ("SELECT :value || nothing", 'column "nothing" does not exist'),
    ],
)
def test_what_postgresql_says_of_values_is_left_out_and_of_the_schema_stays(
    postgres_databases: PostgresDatabases, statement: str, told: str
) -> None:
    engine = create_engine(make_url(postgres_databases.fresh()))
    with closing(engine.raw_connection()) as line, engine.connect() as connection:
        error = raised(lambda: connection.execute(text(statement), {"value": SECRET}))
        line.rollback()
    engine.dispose()

    assert SECRET in str(error)
    assert told in format_traceback(error)
    assert SECRET not in format_traceback(error)


def test_our_loggers_are_all_known_and_only_they_write_at_debug() -> None:
    found = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py")).split('structlog.get_logger("')[1:]

    assert {piece.partition('"')[0] for piece in found} == set(OURS)


async def test_a_fault_that_nobody_waits_for_is_written_without_its_values(caplog: pytest.LogCaptureFixture) -> None:
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
