"""The mirror of an upstream's images: how up to date each is, and its rows, read without a viewer's rights."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, Text, select, text, update

from app.model import ImageVisibility, SeenImage, SeenMember
from app.store import members
from app.store.engines.prepared import Connection, Prepared, slot
from app.store.engines.transaction import Transaction
from app.store.rights import IMAGE, MEMBER


class MirrorState(NamedTuple):
    """The version of an image's rows, how many times it was marked, and how many of these marks were looked at."""

    version: int
    marks: int
    seen: int

    @property
    def is_import(self) -> bool:
        """Whether the image was there before the gateway, and is looked at for the first time."""
        return self.seen < 0


async def mark(tx: Transaction, image_ids: Sequence[str]) -> None:
    """Note that something may have changed upstream."""
    begin = int(tx.now.timestamp() * 1_000_000)
    await _MARK.run_for_each(tx.conn, [{"image": image_id, "begin": begin} for image_id in sorted(image_ids)])


async def expect(tx: Transaction, image_ids: Sequence[str]) -> None:
    """Note images that were there before the gateway: the first look at them makes no events."""
    begin = int(tx.now.timestamp() * 1_000_000)
    await _EXPECT.run_for_each(tx.conn, [{"image": image_id, "begin": begin} for image_id in sorted(image_ids)])


async def lead(tx: Transaction, holder: str, seconds: float) -> bool:
    """Whether this process is the one that looks for changes, until so many seconds from now."""
    now = int(tx.now.timestamp() * 1_000)
    return bool(await _LEAD.rows(tx.conn, holder=holder, now=now, end=now + int(seconds * 1_000)))


async def note_poll(tx: Transaction) -> None:
    """Record that everything that changed before now is marked, as far as the images' times show."""
    await _NOTE_POLL.run(tx.conn, now=int(tx.now.timestamp() * 1_000))


async def polled_at(conn: Connection) -> float:
    """The Unix time of the last poll, in seconds; 0 before the first one."""
    return (await _POLLED.rows(conn))[0][0] / 1_000


async def updates(conn: Connection, after: str, limit: int) -> list[tuple[str, datetime]]:
    """When each image was last updated upstream, as far as the mirror knows, in the order of their IDs."""
    return [(row[0], row[1]) for row in await _UPDATES.rows(conn, after=after, limit=limit)]


async def with_members(conn: Connection, after: str, limit: int) -> list[str]:
    """Some images that have members, in the order of their IDs."""
    return [row[0] for row in await _WITH_MEMBERS.rows(conn, after=after, limit=limit)]


async def others(conn: Connection, image_id: str, limit: int) -> list[str]:
    """The newest other images that not everybody may see."""
    return [row[0] for row in await _OTHERS.rows(conn, image=image_id, limit=limit)]


async def state(conn: Connection, image_id: str) -> MirrorState | None:
    rows = await _STATE.rows(conn, image=image_id)
    return MirrorState._make(rows[0]) if rows else None


async def advance(conn: Connection, image_id: str, read_at: MirrorState) -> bool:
    """Whether the view that was read at this position may be stored: nobody has stored another meanwhile."""
    return bool(await _ADVANCE.rows(conn, image=image_id, version=read_at.version, marks=read_at.marks))


async def marked(conn: Connection, after: str, limit: int) -> list[str]:
    """Images that may have changed and wait for a look, in the order of their IDs."""
    return [row[0] for row in await _MARKED.rows(conn, after=after, limit=limit)]


async def expected(conn: Connection, before: str, limit: int) -> list[str]:
    """Images of an import that wait for their first look, in the reverse order of their IDs."""
    return [row[0] for row in await _EXPECTED.rows(conn, before=before, limit=limit)]


async def waiting(conn: Connection, after: str, limit: int) -> list[str]:
    """Images of both kinds, in the order of their IDs."""
    return [row[0] for row in await _WAITING.rows(conn, after=after, limit=limit)]


async def count_marked(conn: Connection) -> int:
    return (await _COUNT.rows(conn))[0][0]


async def forget(conn: Connection, image_id: str) -> None:
    """The image is gone upstream, and so are its rows here."""
    await _FORGET.run(conn, image=image_id)


async def image(conn: Connection, image_id: str) -> SeenImage | None:
    rows = await _IMAGE.rows(conn, image=image_id)
    return SeenImage.from_values(rows[0]) if rows else None


async def all_members(conn: Connection, image_id: str) -> dict[str, SeenMember]:
    """The rows of an image by their tenants."""
    return {row.tenant_id: row for row in await members.all_of(conn, image_id)}


async def replace_image(conn: Connection, image: SeenImage) -> None:
    values: Mapping[str, Any] = {name: value for name, value in image.as_dict().items() if name != "id"}
    await conn.execute(update(IMAGE).where(IMAGE.c.id == image.id).values(**values))


async def replace_member(conn: Connection, row: SeenMember) -> None:
    await _REPLACE_MEMBER.run(conn, **row.as_dict())


_MARK = Prepared(
    text(
        "INSERT INTO mirrored_image (image_id, version, marks, seen) VALUES (:image, :begin, 1, 0) "
        "ON CONFLICT (image_id) DO UPDATE SET marks = mirrored_image.marks + 1"
    )
)
_EXPECT = Prepared(
    text(
        "INSERT INTO mirrored_image (image_id, version, marks, seen) VALUES (:image, :begin, 0, -1) "
        "ON CONFLICT (image_id) DO NOTHING"
    )
)
_LEAD = Prepared(
    text(
        "UPDATE mirror_leader SET holder = :holder, until = :end "
        "WHERE holder = :holder OR until < :now RETURNING holder"
    )
)
_NOTE_POLL = Prepared(text("UPDATE mirror_leader SET polled = :now"))
_POLLED = Prepared(text("SELECT polled FROM mirror_leader"))
_AFTER: Any = slot("after", Text()), slot("limit", Integer())
_UPDATES = Prepared(
    select(IMAGE.c.id, IMAGE.c.updated_at).where(IMAGE.c.id > _AFTER[0]).order_by(IMAGE.c.id).limit(_AFTER[1])
)
_WITH_MEMBERS = Prepared(
    select(MEMBER.c.image_id)
    .distinct()
    .where(MEMBER.c.image_id > _AFTER[0])
    .order_by(MEMBER.c.image_id)
    .limit(_AFTER[1])
)
_CLOSED = IMAGE.c.visibility.in_((ImageVisibility.PRIVATE, ImageVisibility.SHARED))
_OTHERS = Prepared(
    select(IMAGE.c.id)
    .where(IMAGE.c.id != slot("image"), _CLOSED)
    .order_by(IMAGE.c.created_at.desc(), IMAGE.c.id.desc())
    .limit(_AFTER[1])
)
_STATE = Prepared(text("SELECT version, marks, seen FROM mirrored_image WHERE image_id = :image"))
_ADVANCE = Prepared(
    text(
        "UPDATE mirrored_image SET version = version + 1, seen = :marks "
        "WHERE image_id = :image AND version = :version RETURNING version"
    )
)
_WAITS = "SELECT image_id FROM mirrored_image WHERE marks > seen"
_MARKED = Prepared(text(f"{_WAITS} AND seen >= 0 AND image_id > :after ORDER BY image_id LIMIT :limit"))
_EXPECTED = Prepared(text(f"{_WAITS} AND seen < 0 AND image_id < :before ORDER BY image_id DESC LIMIT :limit"))
_WAITING = Prepared(text(f"{_WAITS} AND image_id > :after ORDER BY image_id LIMIT :limit"))
_COUNT = Prepared(text("SELECT count(*) FROM mirrored_image WHERE marks > seen"))
_FORGET = Prepared(text("DELETE FROM mirrored_image WHERE image_id = :image"))
_IMAGE = Prepared(select(*IMAGE.c).where(IMAGE.c.id == slot("image")))
_CHANGING = {name: slot(name) for name in ("status", "created_at", "updated_at")}
_REPLACE_MEMBER = Prepared(update(MEMBER).where(MEMBER.c.id == slot("id")).values(_CHANGING))
