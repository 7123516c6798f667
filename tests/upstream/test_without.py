"""A gateway without a cloud: none of what stands in front of one is loaded, called, or has a statement."""

import subprocess
import sys
from importlib.util import find_spec

from sqlalchemy import create_engine, make_url, text
from starlette.requests import Request

from app.events.upkeep import Upkeep
from app.main import create_app
from tests.harness.databases import Databases
from tests.harness.gateway import Gateway, refusal_code, settings_for

LOADED = """
import sys
from app.main import create_app
from app.settings import Settings
create_app(Settings(auth_secret="a secret that is long enough for a test"))
print(*sorted(name for name in sys.modules if name in ("httpx2", "aio_pika") or name.startswith("app.upstream.")))
"""


def test_no_client_of_a_cloud_is_loaded() -> None:
    told = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    # Only nouns, which the mirror's code names.
    assert set(told.stdout.split()) <= {"app.upstream.errors", "app.upstream.views"}
    assert find_spec("app.upstream.glance")


def called_files() -> set[str]:
    """The files whose functions this thread calls from now on."""
    called: set[str] = set()
    sys.setprofile(lambda frame, event, _: called.add(frame.f_code.co_filename) if event == "call" else None)
    return called


async def test_no_statement_needs_the_tables_of_the_mirror_and_none_of_its_functions_is_called(
    databases: Databases,
) -> None:
    engine = create_engine(make_url(url := databases.fresh().replace("+aiosqlite", "")))
    with engine.begin() as conn:
        for table in ("mirrored_image", "mirror_leader"):
            conn.execute(text(f"DROP TABLE {table}"))
    engine.dispose()
    app = create_app(settings_for(url.replace("sqlite:", "sqlite+aiosqlite:")))
    async with app.router.lifespan_context(app):
        parts = app.state.parts
        gateway = Gateway(parts.services, parts.pipeline.schema)
        producer, consumer = gateway.tenant("1"), gateway.tenant("2")
        called = called_files()
        image_id = await producer.register(visibility="SHARED")
        changes = [
            await producer.offer(image_id, consumer.id),
            await consumer.accept(image_id),
            await producer.update(image_id, name="renamed"),
            await producer.revoke(image_id, consumer.id),
            await producer.delete(image_id),
        ]
        await Upkeep(parts.services.store, parts.services.settings.event_retention, 1).once()
        metrics = await parts.metrics.respond(Request({"type": "http"}))
        sys.setprofile(None)

        assert any("/app/sharing/" in name for name in called)
        assert [name for name in called if "/app/mirror/" in name or "/app/upstream/" in name] == []
        assert [refusal_code(change) for change in changes] == ["ok"] * 5
        assert (parts.cloud, parts.mirror, parts.services.upstream, parts.pipeline.mirror_age) == (None,) * 4
        assert b"mirror" not in bytes(metrics.body)
        assert b"upstream" not in bytes(metrics.body)
