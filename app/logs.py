"""Structured logs to standard error: JSON for machines, or text for people.

No line holds a token, a variable or a piece of a document, whatever the level.
"""

import asyncio
import logging
import re
import sys
from types import TracebackType
from typing import Any

import structlog

from app.settings import Settings
from app.tracebacks import format_traceback

# The gateway's own loggers, the only ones that log at DEBUG: those of libraries may quote whole messages of clients.
OURS = (
    "budgets",
    "faults",
    "feed",
    "hint",
    "http",
    "keys",
    "keystone",
    "metrics",
    "mirror",
    "operations",
    "plan",
    "refusals",
    "store",
    "tokens",
    "upkeep",
    "workers",
)
LONGEST_VALUE = 2_000
_NOISY = ("aiosqlite", "alembic", "httpx2", "uvicorn.access")


def configure(settings: Settings) -> None:
    """Send the lines of structlog and of the libraries' loggers through one renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(settings)))
    handler.addFilter(_has_no_url)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def log_unhandled_exceptions(loop: asyncio.AbstractEventLoop) -> None:
    """Log exceptions that no task retrieves; by default asyncio would print them with their messages."""

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # These characters begin the arguments of a callback, which may hold a client's data.
        message = re.split(r"[(<\n]", context["message"])[0].strip()
        logging.getLogger("asyncio").error(message, exc_info=context.get("exception"))

    loop.set_exception_handler(handle)


def _rendering(settings: Settings) -> list[structlog.typing.Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    exceptions = structlog.processors.ExceptionRenderer(_format_exception)
    if settings.log_format == "text":
        plain = structlog.dev.plain_traceback
        return [
            remove,
            _sanitize,
            exceptions,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),
        ]
    return [remove, _sanitize, exceptions, structlog.processors.JSONRenderer()]


def _sanitize(logger: Any, name: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Cut long values, and escape the characters that would move a terminal's cursor or reorder its text."""
    return {field: _plain(value) if isinstance(value, str) else value for field, value in fields.items()}


def _plain(text: str) -> str:
    short = text[:LONGEST_VALUE]
    return short if short.isprintable() else short.encode("unicode_escape").decode()


def _format_exception(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    return format_traceback(exc_info[1])


def _has_no_url(record: logging.LogRecord) -> bool:
    """Drop uvicorn's line about each WebSocket: it has the whole URL, in which some clients put their token."""
    return not (record.name == "uvicorn.error" and "WebSocket %s" in str(record.msg))
