"""A store as in SQLModel's documentation: an AsyncSession for each unit of work, and entities."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import URL, and_, event, exists, func, or_, union
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.model import ChangeKind, Event, Image, ImageVisibility, Member, MemberStatus

PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000")
QUOTA = 128
SHARED = ImageVisibility.SHARED
OPEN_TO_ALL = (ImageVisibility.COMMUNITY, ImageVisibility.PUBLIC)
FILLS_THE_QUOTA = (MemberStatus.PENDING, MemberStatus.ACCEPTED)


class Seen(NamedTuple):
    """An image, and whether its viewer may see the owner."""

    image: Image
    is_party: bool


class Error(NamedTuple):
    """The reason why an offer or an answer was refused."""

    code: str
    message: str
    tenant_id: str | None = None


class MutationOutcome(NamedTuple):
    """The outcome of a mutation."""

    members: list[Member]
    errors: list[Error]


class Store:
    """Reads through a pool, and writes through one connection, to avoid contention for the file."""

    def __init__(self, database: str) -> None:
        self._reader = _engine(database, "BEGIN", pool_size=5)
        self._writer = _engine(database, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)

    async def images(self, me: str, ids: Sequence[str]) -> list[Seen | None]:
        """The image of each ID, None where the caller may not see it."""
        async with AsyncSession(self._reader) as session:
            rows = await session.exec(_seen(me).where(col(Image.id).in_(ids), _may_see(me)))
            found = {image.id: Seen(image, is_party) for image, is_party in rows}
        return [found.get(id_) for id_ in ids]

    async def listed(self, me: str, first: int) -> list[Seen]:
        """The first images of the caller's list, and one more if there is one."""
        ways = union(*(_newest(way, first + 1) for way in _ways(me)))
        statement = _seen(me).where(col(Image.id).in_(select(ways.subquery().c.id)))
        ordered = statement.order_by(col(Image.created_at).desc(), col(Image.id).desc()).limit(first + 1)
        async with AsyncSession(self._reader) as session:
            return [Seen(image, is_party) for image, is_party in await session.exec(ordered)]

    async def offers(self, me: str, first: int) -> list[Member]:
        """The first offers of the caller's inbox, and one more if there is one."""
        statement = _members().where(_is_consumer(me), Member.status == MemberStatus.PENDING)
        ordered = statement.order_by(col(Member.created_at).desc(), col(Member.id).desc()).limit(first + 1)
        async with AsyncSession(self._reader) as session:
            return [*await session.exec(ordered)]

    async def members(self, me: str, asked: Sequence[tuple[str, int]]) -> list[list[Member]]:
        """The newest visible members of each image, one more than the size of its page."""
        rows_of: dict[tuple[str, int], list[Member]] = {one: [] for one in asked}
        async with AsyncSession(self._reader) as session:
            for first in {first for _, first in asked}:
                ids = [image for image, size in rows_of if size == first]
                for member in await session.exec(_newest_members(me, ids, first + 1)):
                    rows_of[member.image_id, first].append(member)
        return [rows_of[one] for one in asked]

    async def offer(self, me: str, image_id: str, tenant_ids: Sequence[str]) -> MutationOutcome:
        async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
            image = await _one(session, me, image_id)
            if image is None:
                return MutationOutcome([], [Error("NOT_FOUND", "There is no such image.")])
            if image.owner_id != me or image.visibility is not SHARED:
                return MutationOutcome([], [Error("FORBIDDEN", "It takes no offers of yours.")])
            outcome = MutationOutcome([], [])
            for tenant_id in tenant_ids:
                if (error := await _refusal(session, image, tenant_id)) is not None:
                    outcome.errors.append(error)
                    continue
                now = datetime.now(UTC)
                member = Member(
                    id=str(uuid4()),
                    image_id=image_id,
                    tenant_id=tenant_id,
                    status=MemberStatus.PENDING,
                    created_at=now,
                    updated_at=now,
                )
                session.add_all([member, _event(me, image, ChangeKind.OFFERED, member, None, now)])
                await session.flush()
                outcome.members.append(member)
            return outcome

    async def accept(self, me: str, image_id: str) -> MutationOutcome:
        async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
            image = await _one(session, me, image_id)
            if image is None:
                return MutationOutcome([], [Error("NOT_FOUND", "There is no such image.")])
            if image.owner_id == me:
                return MutationOutcome([], [Error("FORBIDDEN", "It is yours.")])
            own = await session.exec(_members().where(_is_consumer(me), Member.image_id == image_id))
            member = own.one_or_none()
            if member is None:
                return MutationOutcome([], [Error("NOT_FOUND", "There is no such offer.")])
            if member.status is not MemberStatus.ACCEPTED:
                before, now = member.status, datetime.now(UTC)
                member.status, member.updated_at = MemberStatus.ACCEPTED, now
                session.add_all([member, _event(me, image, ChangeKind.ANSWERED, member, before, now)])
            return MutationOutcome([member], [])


def _engine(database: str, begin: str, **pool: int) -> AsyncEngine:
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=database), **pool)

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _owns(me: str) -> Any:
    return col(Image.owner_id) == me


def _has_row(me: str) -> Any:
    row: Any = cast(Any, Member).__table__.alias()
    return exists().where(row.c.image_id == Image.id, row.c.tenant_id == me)


def _is_party(me: str) -> Any:
    return or_(_owns(me), and_(col(Image.visibility) == SHARED, _has_row(me)))


def _may_see(me: str) -> Any:
    return or_(_is_party(me), col(Image.visibility).in_(OPEN_TO_ALL))


def _is_consumer(me: str) -> Any:
    return and_(col(Member.tenant_id) == me, col(Image.visibility) == SHARED)


def _seen(me: str) -> Any:
    return select(Image, _is_party(me))


def _members() -> Any:
    return select(Member).join(Image, col(Image.id) == col(Member.image_id))


def _ways(me: str) -> list[Any]:
    """The three access paths to the list, each with its own index."""
    place: Any = select(Image.created_at, Image.id).where(~col(Image.hidden))
    accepted = and_(_is_consumer(me), col(Member.status) == MemberStatus.ACCEPTED)
    return [
        place.where(_owns(me)),
        place.where(col(Image.visibility) == ImageVisibility.PUBLIC),
        place.join(Member, col(Member.image_id) == col(Image.id)).where(accepted),
    ]


def _newest(way: Any, size: int) -> Any:
    page = way.order_by(col(Image.created_at).desc(), col(Image.id).desc()).limit(size).subquery()
    return select(page)


def _newest_members(me: str, image_ids: Sequence[str], size: int) -> Any:
    newest = (col(Member.created_at).desc(), col(Member.id).desc())
    place = func.row_number().over(partition_by=col(Member.image_id), order_by=newest).label("place")
    seen: Any = select(Member.id, place).join(Image, col(Image.id) == col(Member.image_id))
    ranked = seen.where(col(Member.image_id).in_(image_ids), or_(_owns(me), _is_consumer(me))).subquery()
    found: Any = select(Member).join(ranked, ranked.c.id == Member.id)
    return found.where(ranked.c.place <= size).order_by(ranked.c.place)


async def _one(session: AsyncSession, me: str, image_id: str) -> Image | None:
    found = await session.exec(select(Image).where(Image.id == image_id, _may_see(me)))
    return found.one_or_none()


async def _refusal(session: AsyncSession, image: Image, tenant_id: str) -> Error | None:
    if tenant_id == image.owner_id:
        return Error("BAD_USER_INPUT", "It is yours.", tenant_id)
    of_image = select(Member).where(Member.image_id == image.id)
    if (await session.exec(of_image.where(Member.tenant_id == tenant_id))).one_or_none() is not None:
        return Error("CONFLICT", "It is offered.", tenant_id)
    taken = select(func.count()).where(Member.image_id == image.id, col(Member.status).in_(FILLS_THE_QUOTA))
    if (await session.exec(taken)).one() >= QUOTA:
        return Error("LIMIT_EXCEEDED", "The quota is full.", tenant_id)
    return None


def _event(
    me: str, image: Image, kind: ChangeKind, member: Member, before: MemberStatus | None, now: datetime
) -> Event:
    return Event(
        occurred_at=now,
        kind=kind,
        previous_status=before,
        status=member.status,
        member_id=member.id,
        image_id=image.id,
        owner_id=image.owner_id,
        tenant_id=member.tenant_id,
        actor_id=me,
        image_status=image.status,
        visibility=image.visibility,
    )
