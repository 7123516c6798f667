"""The tables of the mirror of a cloud: how up to date each image is, and which process looks for changes."""

from typing import Any

from sqlmodel import BigInteger, Field, Index, Integer, SQLModel, text

# A partial index, which is empty but for what waits.
_WHERE_MARKED: dict[str, Any] = {f"{engine}_where": text("marks > seen") for engine in ("sqlite", "postgresql")}


class MirroredImage(SQLModel, table=True):
    """The state of an upstream's image in the mirror. It needs a look while `marks` exceeds `seen`.

    `seen` is -1 until the first look at an image that was there before the gateway; it makes no events. `version`
    counts the views that were stored; it starts at the current time, so that an image that is created again
    never repeats a version.
    """

    __tablename__ = "mirrored_image"  # pyright: ignore[reportAssignmentType]

    image_id: str = Field(primary_key=True, max_length=36)
    version: int = Field(sa_type=BigInteger)
    marks: int = Field(sa_type=BigInteger)
    seen: int = Field(sa_type=BigInteger)

    __table_args__ = (Index("mirrored_image_marked", "image_id", **_WHERE_MARKED),)


class MirrorLeader(SQLModel, table=True):
    """The one row that says which process looks for changes upstream, until when, and when it last has done so.

    Times are in milliseconds of Unix time.
    """

    __tablename__ = "mirror_leader"  # pyright: ignore[reportAssignmentType]

    k: int = Field(primary_key=True, sa_type=Integer)
    holder: str = Field(max_length=36)
    until: int = Field(sa_type=BigInteger)
    polled: int = Field(sa_type=BigInteger)
