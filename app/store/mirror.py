"""The mirror of an upstream's images: how up to date each is, and its rows, for which no viewer is asked."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, text, update

from app.model import SeenImage, SeenMember
from app.store import members
from app.store.engines.prepared import Connection, Prepared, slot
from app.store.engines.transaction import Transaction
from app.store.rights import IMAGE, MEMBER


class Position(NamedTuple):
    """The version of an image's rows, and how many marks it has had."""

    version: int
    marks: int


async def mark(tx: Transaction, image_ids: Sequence[str]) -> None:
    """Note that something may have changed upstream."""
    begin = int(tx.now.timestamp() * 1_000_000)
    await _MARK.run_for_each(tx.conn, [{"image": image_id, "begin": begin} for image_id in sorted(image_ids)])


async def position(conn: Connection, image_id: str) -> Position | None:
    rows = await _POSITION.rows(conn, image=image_id)
    return Position._make(rows[0]) if rows else None


async def advance(conn: Connection, image_id: str, read_at: Position) -> bool:
    """Whether the view that was read at this position may be stored: nobody has stored another meanwhile."""
    return bool(await _ADVANCE.rows(conn, image=image_id, version=read_at.version, marks=read_at.marks))


async def marked(conn: Connection, limit: int) -> list[str]:
    """Images that wait for a look."""
    return [row[0] for row in await _MARKED.rows(conn, limit=limit)]


async def count_marked(conn: Connection) -> int:
    return (await _COUNT.rows(conn))[0][0]


async def forget(conn: Connection, image_id: str) -> None:
    """The image is gone upstream, and so are its rows here."""
    await _FORGET.run(conn, image=image_id)


async def image(conn: Connection, image_id: str) -> SeenImage | None:
    rows = await _IMAGE.rows(conn, image=image_id)
    return SeenImage._make(rows[0]) if rows else None


async def all_members(conn: Connection, image_id: str) -> dict[str, SeenMember]:
    """The rows of an image by their tenants."""
    return {row.tenant_id: row for row in await members.all_of(conn, image_id)}


async def replace_image(conn: Connection, image: SeenImage) -> None:
    values: Mapping[str, Any] = {name: value for name, value in image._asdict().items() if name != "id"}
    await conn.execute(update(IMAGE).where(IMAGE.c.id == image.id).values(**values))


async def replace_member(conn: Connection, row: SeenMember) -> None:
    await _REPLACE_MEMBER.run(conn, **row._asdict())


_MARK = Prepared(
    text(
        "INSERT INTO mirrored_image (image_id, version, marks, seen) VALUES (:image, :begin, 1, 0) "
        "ON CONFLICT (image_id) DO UPDATE SET marks = mirrored_image.marks + 1"
    )
)
_POSITION = Prepared(text("SELECT version, marks FROM mirrored_image WHERE image_id = :image"))
_ADVANCE = Prepared(
    text(
        "UPDATE mirrored_image SET version = version + 1, seen = :marks "
        "WHERE image_id = :image AND version = :version RETURNING version"
    )
)
_MARKED = Prepared(text("SELECT image_id FROM mirrored_image WHERE marks > seen ORDER BY image_id LIMIT :limit"))
_COUNT = Prepared(text("SELECT count(*) FROM mirrored_image WHERE marks > seen"))
_FORGET = Prepared(text("DELETE FROM mirrored_image WHERE image_id = :image"))
_IMAGE = Prepared(select(*(IMAGE.c[name] for name in SeenImage._fields)).where(IMAGE.c.id == slot("image")))
_CHANGING = {name: slot(name) for name in ("status", "created_at", "updated_at")}
_REPLACE_MEMBER = Prepared(update(MEMBER).where(MEMBER.c.id == slot("id")).values(_CHANGING))
