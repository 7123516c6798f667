"""Migrations: the store's tables and triggers, brought to what this version of the code needs."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.errors import SetupError, StoreAway
from app.store.database import Store
from app.store.engines import engine

_NUMBERING = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name = 'number_event'",
    "postgresql": "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('event') AND tgname = 'number_event' "
    "AND tgdeferrable AND tginitdeferred AND tgenabled IN ('O', 'A')",
}
# A driver that could not connect has no error code, only the server's message.
_LASTING = ("password authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")
_HERE = Path(__file__).parent / "migrations"


async def upgrade(store: Store) -> str:
    """Bring the store to the newest revision, and return its name."""
    migrator = engine.open_migrator(store.url)
    try:
        async with migrator.connect() as conn, conn.begin():
            await conn.run_sync(_refuse_a_newer_store)
            await conn.run_sync(lambda sync: command.upgrade(_config(sync), "head"))
    except (DBAPIError, OSError) as error:
        raise cannot_open(store, error) from error
    finally:
        await migrator.dispose()
    return _newest()


async def require_current(store: Store) -> None:
    """Refuse a store that is older or newer than the code, or whose log does not number itself."""
    try:
        async with store.reader.connect() as conn:
            present = await conn.run_sync(_present)
            await conn.run_sync(_refuse_a_newer_store)
            numbers_itself = await conn.scalar(text(_NUMBERING[conn.dialect.name]))
    except (DBAPIError, OSError) as error:
        raise cannot_open(store, error) from error
    if present != _newest():
        raise SetupError(
            f"The store is at revision {present or 'none'} and this version needs {_newest()}. "
            "Run: image-gateway migrate"
        )
    if not numbers_itself:
        raise SetupError(
            "The trigger number_event is missing from the store, so its log would not be numbered. "
            "Restore a backup that has it, or create it as migration 0001 does."
        )


def cannot_open(store: Store, error: Exception) -> SetupError:
    """Why the database can't be opened, in one line and without its password."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    shown = store.url.render_as_string(hide_password=True)
    message = f"The database {shown} can't be opened: {reason[0] if reason else type(error).__name__}."
    return StoreAway(message) if _is_temporary(store, error) else SetupError(message)


def _is_temporary(store: Store, error: Exception) -> bool:
    """Whether a server is unreachable, starting or full, rather than lacking the user or the database."""
    if store.url.get_backend_name() == "sqlite" or getattr(getattr(error, "orig", None), "sqlstate", None):
        return False
    return not any(words in str(error) for words in _LASTING)


def _present(conn: Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()


def _refuse_a_newer_store(conn: Connection) -> None:
    present = _present(conn)
    known = {revision.revision for revision in ScriptDirectory.from_config(_config(conn)).walk_revisions()}
    if present is not None and present not in known:
        raise SetupError(
            f"The store is at revision {present}, which this version does not know. Upgrade the gateway first."
        )


def _newest() -> str:
    newest = ScriptDirectory(str(_HERE)).get_current_head()
    assert newest is not None
    return newest


def _config(conn: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = conn
    return config
