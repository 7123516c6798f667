"""Logs with fields, to standard error: JSON for machines, or text for people.

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
from app.tracebacks import written

# Those whose lines are written here. What the libraries say at DEBUG may quote whole messages of clients.
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
    "upkeep",
    "workers",
)
LONGEST_VALUE = 2_000
_NOISY = ("aiosqlite", "alembic", "httpx2", "uvicorn.access")


def configure(settings: Settings) -> None:
    """Send structlog, and what the libraries log, through one renderer."""
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
    handler.addFilter(_is_no_address)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def log_loose_faults(loop: asyncio.AbstractEventLoop) -> None:
    """Faults that nobody waits for: asyncio would write the exception out, with its message."""

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Behind these signs stand the arguments of a callback.
        what = re.split(r"[(<\n]", context["message"])[0].strip()
        logging.getLogger("asyncio").error(what, exc_info=context.get("exception"))

    loop.set_exception_handler(handle)


def _rendering(settings: Settings) -> list[structlog.typing.Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    exceptions = structlog.processors.ExceptionRenderer(_formatted)
    if settings.log_format == "text":
        plain = structlog.dev.plain_traceback
        return [
            remove,
            _in_one_line,
            exceptions,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),
        ]
    return [remove, _in_one_line, exceptions, structlog.processors.JSONRenderer()]


def _in_one_line(logger: Any, name: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Bounded, and without the characters that would move a terminal's cursor or reorder its text."""
    return {field: _plain(value) if isinstance(value, str) else value for field, value in fields.items()}


def _plain(text: str) -> str:
    kept = text[:LONGEST_VALUE]
    return kept if kept.isprintable() else kept.encode("unicode_escape").decode()


def _formatted(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    return written(exc_info[1])


def _is_no_address(record: logging.LogRecord) -> bool:
    """uvicorn tells of each WebSocket with its whole address, where some clients put their token."""
    return not (record.name == "uvicorn.error" and "WebSocket %s" in str(record.msg))
