"""Generates a reproducible world of tenants, images and members, and writes it to both stores."""

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import make_url

from tests.harness.databases import upgrade

IMAGE_COLUMNS = [
    *("id", "owner_id", "name", "origin", "server_id", "source_url", "status", "visibility", "size_bytes"),
    *("min_disk_gb", "min_ram_mb", "os_type", "checksum", "tags", "protected", "hidden", "created_at", "updated_at"),
]
MEMBER_COLUMNS = ["id", "image_id", "tenant_id", "status", "created_at", "updated_at"]
OWN_MEMBERS = 7
PENDING_OFFERS, ACCEPTED_OFFERS, REJECTED_OFFERS = 60, 8, 5
PUBLIC_IMAGES = 5
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Sizes:
    """The size of a world. The heavy tenants are the callers."""

    tenants: int = 1_000
    heavy: int = 100
    images: int = 10_000
    members: int = 50_000
    own_images: int = 40


LARGE = Sizes()
SMALL = Sizes(tenants=60, heavy=6, images=600, members=3_000)


@dataclass
class World:
    """The rows and the callers."""

    heavy: list[str]
    images: list[Row] = field(default_factory=list[Row])
    members: list[Row] = field(default_factory=list[Row])

    def images_of(self, tenant_id: str) -> list[str]:
        return [row[0] for row in self.images if row[1] == tenant_id]

    @property
    def own_images(self) -> list[tuple[str, str]]:
        """Every image of the callers with its owner, alternating between owners."""
        by_owner = [[(owner, image) for image in self.images_of(owner)] for owner in self.heavy]
        return [pair for turn in zip(*by_owner, strict=True) for pair in turn]


def world(sizes: Sizes) -> World:
    """Generate a world in which all heavy tenants have equally many images, members and offers."""
    return _WorldBuilder(sizes).build()


class _WorldBuilder:
    def __init__(self, sizes: Sizes) -> None:
        self._dice = random.Random(4122)
        self._sizes = sizes
        names = [str(100_000 + number) for number in range(sizes.tenants)]
        self._heavy, self._light = names[: sizes.heavy], names[sizes.heavy :]
        self._world = World(self._heavy)
        self._taken = set[tuple[str, str]]()

    def build(self) -> World:
        for owner in self._heavy:
            for _ in range(self._sizes.own_images):
                image = self._image(owner, "SHARED")
                for consumer in self._dice.sample(self._light, OWN_MEMBERS):
                    self._member(image, consumer, self._answer())
        offered = self._images_of_the_rest()
        for consumer in self._heavy:
            self._offers_to(consumer, offered)
        while len(self._world.members) < self._sizes.members:
            image, owner = self._dice.choice(offered)
            if (consumer := self._dice.choice(self._light)) != owner:
                self._member(image, consumer, self._answer())
        return self._world

    def _images_of_the_rest(self) -> list[tuple[str, str]]:
        for _ in range(PUBLIC_IMAGES):
            self._image(self._dice.choice(self._light), "PUBLIC")
        owners = [self._dice.choice(self._light) for _ in range(self._sizes.images - len(self._world.images))]
        return [(self._image(owner, "SHARED"), owner) for owner in owners]

    def _offers_to(self, consumer: str, offered: Sequence[tuple[str, str]]) -> None:
        words = ["PENDING"] * PENDING_OFFERS + ["ACCEPTED"] * ACCEPTED_OFFERS + ["REJECTED"] * REJECTED_OFFERS
        for (image, _), status in zip(self._dice.sample(offered, len(words)), words, strict=True):
            self._member(image, consumer, status)

    def _image(self, owner: str, visibility: str) -> str:
        dice = self._dice
        made, image = self._moment(0), self._id()
        url, tags = f"https://images.example.org/{dice.randrange(10**6)}.img", json.dumps(["bench", "linux"])
        name = f'image "{dice.randrange(1000)}" of {owner}'
        sizes = (dice.randrange(2**34), 20, 2048)
        row = (image, owner, name, "IMPORT", None, url, dice.choice(("ACTIVE", "ACTIVE", "SAVING")), visibility, *sizes)
        self._world.images.append(
            (*row, "LINUX", None, tags, 0, 0, sqlite_time(made), sqlite_time(made + timedelta(hours=1)))
        )
        return image

    def _member(self, image: str, consumer: str, status: str) -> None:
        if (image, consumer) in self._taken:
            return
        self._taken.add((image, consumer))
        made = self._moment(200)
        answered = made if status == "PENDING" else made + timedelta(minutes=5)
        self._world.members.append((self._id(), image, consumer, status, sqlite_time(made), sqlite_time(answered)))

    def _answer(self) -> str:
        return self._dice.choice(("PENDING", "PENDING", "ACCEPTED", "ACCEPTED", "REJECTED"))

    def _moment(self, day: int) -> datetime:
        return BEGIN + timedelta(days=day, microseconds=self._dice.randrange(90 * 86_400 * 10**6))

    def _id(self) -> str:
        return str(UUID(int=self._dice.getrandbits(128), version=4))


def sqlite_time(moment: datetime) -> str:
    """A time in the format of the SQLite store, which PostgreSQL can parse too."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def write_sqlite(path: Path, world: World) -> None:
    """Create a migrated file that holds the world."""
    await asyncio.to_thread(upgrade, f"sqlite+aiosqlite:///{path}")
    connection = sqlite3.connect(path)
    with connection:
        for table, columns, rows in _tables(world):
            places = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
    connection.execute("ANALYZE")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def write_postgres(url: str, world: World) -> None:
    """Write the world into a migrated database."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for table, columns, rows in _tables(world):
            statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
            with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        connection.execute("VACUUM ANALYZE")


def _tables(world: World) -> Iterator[tuple[str, list[str], list[Row]]]:
    yield "image", IMAGE_COLUMNS, world.images
    yield "member", MEMBER_COLUMNS, world.members
