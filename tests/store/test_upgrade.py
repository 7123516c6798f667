"""An upgrade with a real migration: a store of an older revision is migrated while workers write to it."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import DateTime, Engine, bindparam, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from app.store import migrate
from tests.harness.commands import run
from tests.harness.databases import Databases
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, run_server

pytestmark = pytest.mark.slow
BEFORE = "0002"
INSERTS = [
    "INSERT INTO image (id, owner_id, name, origin, source_url, status, visibility, min_disk_gb, min_ram_mb, tags,"
    " protected, hidden, created_at, updated_at) VALUES (:image, :owner, 'old', 'IMPORT', 'https://example.org/i',"
    " 'ACTIVE', 'SHARED', 0, 0, '[]', false, false, :now, :now)",
    "INSERT INTO member (id, image_id, tenant_id, status, created_at, updated_at)"
    " VALUES (:member, :image, :consumer, 'PENDING', :now, :now)",
    "INSERT INTO event (occurred_at, kind, status, member_id, image_id, owner_id, tenant_id, actor_id)"
    " VALUES (:now, 'OFFERED', 'PENDING', :member, :image, :owner, :consumer, :owner)",
]
EVENTS = """query($after: Cursor) { offerEvents(after: $after, first: 100) {
  nodes { imageId } pageInfo { hasNextPage endCursor }
} }"""


class OlderWorker:
    """Offers images with the SQL of the previous version, and records the acknowledged offers."""

    def __init__(self, engine: Engine, consumer: str) -> None:
        self.offered: list[str] = []
        self.faults: list[DBAPIError] = []
        self._engine = engine
        self._parties = {"owner": fresh_id(), "consumer": consumer}

    def offer(self) -> None:
        image, member = str(uuid4()), str(uuid4())
        now = datetime.now(UTC)
        on_sqlite = self._engine.dialect.name == "sqlite"
        timestamp = now.isoformat(timespec="microseconds")[:-6] + "Z" if on_sqlite else now
        kinds = [] if on_sqlite else [bindparam("now", type_=DateTime(timezone=True))]
        with self._engine.begin() as transaction:
            for insert in INSERTS:
                values = {"image": image, "member": member, "now": timestamp, **self._parties}
                transaction.execute(text(insert).bindparams(*kinds), values)
        self.offered.append(image)

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Make one offer after another until the block ends or the store refuses one."""
        done = threading.Event()
        thread = threading.Thread(target=self._work, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _work(self, done: threading.Event) -> None:
        while not self.faults and not done.wait(0.01):
            try:
                self.offer()
            except DBAPIError as fault:
                self.faults.append(fault)


def test_a_store_of_an_older_revision_is_migrated_under_load_without_loss(databases: Databases, tmp_path: Path) -> None:
    url, consumer = databases.blank(), fresh_id()
    with of_revision(BEFORE, url) as engine:
        older = OlderWorker(engine, consumer)
        older.offer()
        assert _revision(engine) == BEFORE
        with older.at_work():
            assert run(tmp_path, "migrate", "--database", url).returncode == 0
            assert _revision(engine) > BEFORE
            migrated = len(older.offered)
            with run_server(tmp_path, database_url=url) as newer:
                newer.register(newer.token(consumer))
                before_the_look = len(older.offered)
                timestamp = _logged_offers(newer, consumer)
    assert older.faults == []
    assert 1 < migrated < before_the_look < len(older.offered)
    assert timestamp[:before_the_look] == older.offered[:before_the_look]


@contextmanager
def of_revision(revision: str, url: str) -> Generator[Engine]:
    """Create a store at this revision."""
    parts = make_url(url)
    engine = create_engine(parts.set(drivername=parts.drivername.replace("aiosqlite", "pysqlite")))
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        yield engine
    finally:
        engine.dispose()


def _revision(engine: Engine) -> str:
    with engine.connect() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()


def _logged_offers(server: Server, tenant: str) -> list[str]:
    """The images offered to the tenant according to the log, in its order."""
    timestamp: list[str] = []
    after, more = None, True
    while more:
        page = server.data(EVENTS, server.token(tenant), after=after)["offerEvents"]
        timestamp += [node["imageId"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return timestamp
