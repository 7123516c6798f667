"""A copy of the embedded store, made while it is served from: one consistent view, compact, and whole or not there."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from app.errors import SetupError


def copy(database: Path, target: Path) -> int:
    """Copy the store into a file that is not there yet, and return its size in bytes. Raises SetupError."""
    if target.exists():
        raise SetupError(f"{target} is there already. Choose another name, so that no older backup is lost.")
    if not target.parent.is_dir():
        raise SetupError(f"There is no folder {target.parent}. Create it, or choose another.")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        # It holds what only the gateway may know, so nobody else may read it.
        part.touch(mode=0o600, exist_ok=False)
        _copy_whole(database, part)
        # Not by renaming over it: somebody else may have made it meanwhile.
        os.link(part, target)
    except (OSError, sqlite3.Error) as error:
        raise SetupError(f"The backup {target} can't be made: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def _copy_whole(database: Path, part: Path) -> None:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True)) as source:
        source.execute("PRAGMA busy_timeout = 5000")
        source.execute("VACUUM INTO ?", (str(part),))
    with closing(sqlite3.connect(part)) as made:
        [verdict] = made.execute("PRAGMA integrity_check(1)").fetchone()
        [is_store] = made.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"the copy is not sound: {verdict}")
    if not is_store:
        raise sqlite3.DatabaseError(f"{database} holds no store of the gateway; look whether it is the right file")
    with part.open("rb") as written:
        os.fsync(written.fileno())
