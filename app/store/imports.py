"""Writes the rows of an import, and notes how far its file is imported. Reads without a viewer's rights."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as insert_on_conflict
from sqlmodel import BigInteger, Field, SQLModel

from app.model import SeenImage, SeenMember
from app.store.engines.engine import as_json
from app.store.engines.prepared import Connection, Prepared, slot
from app.store.rights import IMAGE, MEMBER

Pair = tuple[str, str]
Reads = Mapping[str, Prepared]


class FileImport(SQLModel, table=True):
    """How many lines of a file are imported. The file is known by the SHA-256 of its bytes."""

    __tablename__ = "file_import"  # pyright: ignore[reportAssignmentType]  # as SQLModel has it

    digest: str = Field(primary_key=True, max_length=64)
    lines: int = Field(sa_type=BigInteger)


async def images_of(conn: Connection, ids: Collection[str], *, locked: bool = False) -> dict[str, SeenImage]:
    """The images with these IDs; if `locked`, nobody changes them or their members until the transaction ends."""
    if not ids:
        return {}
    rows = await (_LOCKED if locked else _IMAGES)[conn.dialect.name].rows(conn, named=as_json(list(ids)))
    return {image.id: image for image in map(SeenImage.from_values, rows)}


async def images_by_external_id(conn: Connection, pairs: Collection[Pair]) -> dict[Pair, SeenImage]:
    """The images with these owners and external IDs."""
    if not pairs:
        return {}
    rows = await _EXTERNAL[conn.dialect.name].rows(conn, named=as_json(list(pairs)))
    found = map(SeenImage.from_values, rows)
    return {(image.owner_id or "", image.external_id or ""): image for image in found}


async def members_by_id(conn: Connection, ids: Collection[str]) -> dict[str, SeenMember]:
    """The members with these IDs."""
    if not ids:
        return {}
    rows = await _MEMBERS[conn.dialect.name].rows(conn, named=as_json(list(ids)))
    return {member.id: member for member in map(SeenMember.from_values, rows)}


async def members_by_pair(conn: Connection, pairs: Collection[Pair]) -> dict[Pair, SeenMember]:
    """The members of these images and tenants."""
    if not pairs:
        return {}
    rows = await _PAIRS[conn.dialect.name].rows(conn, named=as_json(list(pairs)))
    return {(member.image_id, member.tenant_id): member for member in map(SeenMember.from_values, rows)}


async def add_images(conn: Connection, rows: Sequence[SeenImage]) -> None:
    """Add images. One that somebody else has added meanwhile stays as it is."""
    if rows:
        await _ADD_IMAGES.run_for_each(conn, [row.as_dict() for row in rows])


async def lines_done(conn: Connection, digest: str) -> int | None:
    """How many lines of this file are imported; None if its import has not begun."""
    rows = await _LINES.rows(conn, digest=digest)
    return rows[0][0] if rows else None


async def begin(conn: Connection, digest: str) -> None:
    """Note that the import of this file begins with its first line."""
    await _BEGIN.run(conn, digest=digest)


async def advance(conn: Connection, digest: str, since: int, to: int) -> bool:
    """Note that the lines up to `to` are imported. False if another import of this file has gone past `since`."""
    return bool(await _ADVANCE.rows(conn, digest=digest, since=since, to=to))


# The values to look for are one parameter: a list of IDs, or of pairs, as JSON.
_IDS = {"sqlite": "json_each(:named)", "postgresql": "json_array_elements_text(CAST(:named AS json))"}
_LISTS = {"sqlite": "json_each(:named)", "postgresql": "json_array_elements(CAST(:named AS json))"}
_IS_PAIR = "member.image_id = named.value ->> 0 AND member.tenant_id = named.value ->> 1"
_LOCK = {"sqlite": "", "postgresql": "ORDER BY image.id FOR UPDATE OF image"}


def _read(table: Any, named: Mapping[str, str], where: str, lock: Mapping[str, str] | None = None) -> Reads:
    """A statement for each engine. CROSS JOIN keeps SQLite from reading the table first."""
    columns = ", ".join(map(str, table.c))

    def statement(engine: str) -> Any:
        found = f"SELECT {columns} FROM {named[engine]} AS named CROSS JOIN {table} WHERE {where}"
        return text(f"{found} {(lock or {}).get(engine, '')}").columns(*table.c)

    return {engine: Prepared(statement(engine)) for engine in named}


_IMAGES = _read(IMAGE, _IDS, "image.id = named.value")
_LOCKED = _read(IMAGE, _IDS, "image.id = named.value", _LOCK)
_EXTERNAL = _read(IMAGE, _LISTS, "image.owner_id = named.value ->> 0 AND image.external_id = named.value ->> 1")
_MEMBERS = _read(MEMBER, _IDS, "member.id = named.value")
_PAIRS = _read(MEMBER, _LISTS, _IS_PAIR)
# Both engines have the clause in the same words.
_ADD_IMAGES = Prepared(
    insert_on_conflict(IMAGE).values({column.name: slot(column.name) for column in IMAGE.c}).on_conflict_do_nothing()
)
_LINES = Prepared(text("SELECT lines FROM file_import WHERE digest = :digest"))
_BEGIN = Prepared(
    text("INSERT INTO file_import (digest, lines) VALUES (:digest, 0) ON CONFLICT (digest) DO UPDATE SET lines = 0")
)
_ADVANCE = Prepared(
    text("UPDATE file_import SET lines = :to WHERE digest = :digest AND lines = :since RETURNING lines")
)
