"""Reads the log for tests."""

from app.model import Change, LogEntry
from app.store import log
from app.store.database import Store
from app.store.snapshot import read_once


async def changes_after(store: Store, seq: int) -> list[Change]:
    """The changes in the log after a sequence number."""
    return (await read_once(store, log.read_after, seq, 100_000)).changes


async def member_changes_after(store: Store, seq: int) -> list[LogEntry]:
    """The changes of members in the log after a sequence number, without those of images."""
    return [change.entry for change in await changes_after(store, seq) if change.entry.kind is not None]
