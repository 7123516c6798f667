"""The nouns: images, members, the log of their changes, and who is calling. Plain data, no behaviour."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlmodel import JSON, BigInteger, Double, Field, Index, Integer, LargeBinary, SQLModel, UniqueConstraint, text

from app.columns import Timestamp, row_number, word_of
from app.rows import Row, named_tuple


class MemberStatus(StrEnum):
    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class ImageVisibility(StrEnum):
    PRIVATE = "PRIVATE"
    SHARED = "SHARED"
    COMMUNITY = "COMMUNITY"
    PUBLIC = "PUBLIC"


class ImageStatus(StrEnum):
    QUEUED = "QUEUED"
    UPLOADING = "UPLOADING"
    IMPORTING = "IMPORTING"
    SAVING = "SAVING"
    ACTIVE = "ACTIVE"
    DEACTIVATED = "DEACTIVATED"
    KILLED = "KILLED"


class ImageOrigin(StrEnum):
    SNAPSHOT = "SNAPSHOT"
    IMPORT = "IMPORT"


class OsType(StrEnum):
    LINUX = "LINUX"
    WINDOWS = "WINDOWS"
    OTHER = "OTHER"


class ChangeKind(StrEnum):
    OFFERED = "OFFERED"
    ANSWERED = "ANSWERED"
    REVOKED = "REVOKED"
    IMAGE_DELETED = "IMAGE_DELETED"


class ImageChangeKind(StrEnum):
    REGISTERED = "REGISTERED"
    CHANGED = "CHANGED"
    ACCESS_GAINED = "ACCESS_GAINED"
    ACCESS_LOST = "ACCESS_LOST"
    DELETED = "DELETED"


class Role(StrEnum):
    """A caller's role: inside its tenant, or (operator) across tenants."""

    OBSERVER = "observer"
    CREATOR = "creator"
    ADMIN = "admin"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """The tenant, roles and user that a token names."""

    tenant_id: str
    roles: frozenset[Role]
    expires_at: datetime
    subject: str | None = None
    # For calls to an upstream on the caller's behalf; not part of the caller's identity.
    token: str | None = field(default=None, repr=False, compare=False)

    @property
    def is_operator(self) -> bool:
        """Whether the caller sees the images and member rows of all tenants."""
        return Role.OPERATOR in self.roles


# Most images have no external ID, and need no place in the index.
_WHERE_EXTERNAL: dict[str, Any] = {f"{e}_where": text("external_id IS NOT NULL") for e in ("sqlite", "postgresql")}


class Image(SQLModel, table=True):
    """An image and its owner, the producer."""

    id: str = Field(primary_key=True, max_length=36)
    owner_id: str = Field(max_length=255)
    name: str = Field(max_length=255)
    external_id: str | None = Field(default=None, max_length=255)
    origin: ImageOrigin = Field(sa_type=word_of(ImageOrigin))
    server_id: str | None = Field(default=None, max_length=255)
    source_url: str | None = Field(default=None, max_length=2048)
    status: ImageStatus = Field(default=ImageStatus.ACTIVE, sa_type=word_of(ImageStatus))
    visibility: ImageVisibility = Field(default=ImageVisibility.SHARED, sa_type=word_of(ImageVisibility))
    size_bytes: int | None = Field(default=None, sa_type=BigInteger)
    min_disk_gb: int = 0
    min_ram_mb: int = 0
    os_type: OsType | None = Field(default=None, sa_type=word_of(OsType))
    checksum: str | None = Field(default=None, max_length=255)
    disk_format: str | None = Field(default=None, max_length=255)
    container_format: str | None = Field(default=None, max_length=255)
    tags: list[str] = Field(default_factory=list, sa_type=JSON)
    protected: bool = False
    hidden: bool = False
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)

    __table_args__ = (
        Index("image_by_creation", "created_at", "id"),
        Index("image_by_owner", "owner_id", "created_at", "id"),
        Index("image_by_visibility", "visibility", "created_at", "id"),
        Index("image_by_external_id", "external_id", "owner_id", unique=True, **_WHERE_EXTERNAL),
    )


class Member(SQLModel, table=True):
    """One image offered to one consumer. No tenant table stands behind `tenant_id`, on purpose."""

    id: str = Field(primary_key=True, max_length=36)
    image_id: str = Field(foreign_key="image.id", max_length=36)
    tenant_id: str = Field(max_length=255)
    status: MemberStatus = Field(sa_type=word_of(MemberStatus))
    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)

    __table_args__ = (
        UniqueConstraint("image_id", "tenant_id", name="one_member_row_for_image_and_tenant"),
        Index("member_by_tenant", "tenant_id", "status", "created_at", "id", "image_id"),
        Index("member_by_image", "image_id", "created_at", "id", "tenant_id", "status", "updated_at"),
    )


class Event(SQLModel, table=True):
    """One change of a membership, or of an image from the view of one party; never updated.

    A trigger sets `seq` in commit order. `kind` is set for a membership, `image_kind` for an image and the party
    `tenant_id`; the image's status and visibility are those after the change.
    """

    id: int | None = Field(default=None, primary_key=True, sa_type=row_number())
    seq: int | None = Field(default=None, sa_type=BigInteger, unique=True)
    occurred_at: datetime = Field(sa_type=Timestamp, index=True)
    kind: ChangeKind | None = Field(default=None, sa_type=word_of(ChangeKind))
    image_kind: ImageChangeKind | None = Field(default=None, sa_type=word_of(ImageChangeKind))
    previous_status: MemberStatus | None = Field(default=None, sa_type=word_of(MemberStatus))
    status: MemberStatus | None = Field(default=None, sa_type=word_of(MemberStatus))
    member_id: str | None = Field(default=None, max_length=36)
    image_id: str = Field(max_length=36)
    owner_id: str = Field(max_length=255)
    tenant_id: str = Field(max_length=255)
    actor_id: str = Field(max_length=255)
    previous_image_status: ImageStatus | None = Field(default=None, sa_type=word_of(ImageStatus))
    image_status: ImageStatus | None = Field(default=None, sa_type=word_of(ImageStatus))
    previous_visibility: ImageVisibility | None = Field(default=None, sa_type=word_of(ImageVisibility))
    visibility: ImageVisibility | None = Field(default=None, sa_type=word_of(ImageVisibility))

    __table_args__ = (
        Index("event_by_owner", "owner_id", "seq"),
        Index("event_by_tenant", "tenant_id", "seq"),
        {"sqlite_autoincrement": True},
    )


class EventHead(SQLModel, table=True):
    """The single row that numbers the log. All workers on this store seal cursors with its `key`."""

    __tablename__ = "event_head"  # pyright: ignore[reportAssignmentType]  # as SQLModel has it

    k: int = Field(primary_key=True, sa_type=Integer)
    seq: int = Field(sa_type=BigInteger)
    floor: int = Field(sa_type=BigInteger)
    epoch: str = Field(max_length=16)
    key: bytes = Field(sa_type=LargeBinary)


class RecordedOutcome(SQLModel, table=True):
    """The outcome of a mutation with an idempotency key, so that a retry gets the same response."""

    __tablename__ = "recorded_outcome"  # pyright: ignore[reportAssignmentType]

    tenant_id: str = Field(primary_key=True, max_length=255)
    idempotency_key: str = Field(primary_key=True, max_length=255)
    input_hash: str = Field(max_length=64)
    outcome: dict[str, Any] = Field(sa_type=JSON)
    recorded_at: datetime = Field(sa_type=Timestamp, index=True)


class Budget(SQLModel, table=True):
    """The remaining budget of a caller, shared by the workers on one PostgreSQL; the embedded store has one worker."""

    kind: str = Field(primary_key=True, max_length=16)
    who: str = Field(primary_key=True, max_length=255)
    level: float = Field(sa_type=Double)
    settled_at: datetime = Field(sa_type=Timestamp)


class SeenImage(Row, named_tuple(Image)):
    """An image as one viewer may see it; hidden fields are None."""

    __slots__ = ()
    owner_id: str | None  # pyright: ignore[reportIncompatibleVariableOverride]


class SeenMember(Row, named_tuple(Member)):
    """A member row that one viewer may see."""

    __slots__ = ()


class LogEntry(NamedTuple):
    """An entry to be written to the log: one change of a membership, or of an image for one of its parties."""

    image_id: str
    owner_id: str
    tenant_id: str
    actor_id: str
    kind: ChangeKind | None = None
    image_kind: ImageChangeKind | None = None
    member_id: str | None = None
    previous_status: MemberStatus | None = None
    status: MemberStatus | None = None
    previous_image_status: ImageStatus | None = None
    image_status: ImageStatus | None = None
    previous_visibility: ImageVisibility | None = None
    visibility: ImageVisibility | None = None


class Change(NamedTuple):
    """One row of the log, as read from it."""

    seq: int
    occurred_at: datetime
    entry: LogEntry
