"""A new field of Image is three edits: the column, its migration, and the GraphQL field with its description.

Each test edits a copy of the source tree, as "Adding a field" in app/README.md says, and starts a server from it.
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from app.model import Role
from app.web.callers.identity import SharedSecret
from tests.harness.commands import output_of, start_serve
from tests.harness.databases import Databases
from tests.harness.gateway import IMAGE, settings_for

pytestmark = pytest.mark.usefixtures("new_interpreters")
ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns("graphiql")
OWNER, CONSUMER = "1001", "2002"
REGISTER = "mutation($input: RegisterImageInput!) { registerImage(input: $input) { image { id cpuArchitecture } } }"
UPDATE = "mutation($input: UpdateImageInput!) { updateImage(input: $input) { image { cpuArchitecture } } }"
OFFER = """mutation($id: ID!) {
  offerImage(input: {imageId: $id, tenantIds: ["2002"]}) { members { image { cpuArchitecture } } }
}"""
WATCH_OFFERS = "subscription { watchOffers { ... on MemberStatusChanged { member { image { cpuArchitecture } } } } }"
WATCH_IMAGES = """subscription {
  watchImages(initial: SNAPSHOT, bookmarks: false) { ... on ImageState { image { cpuArchitecture } } }
}"""
COLUMN = "    cpu_architecture: str | None = Field(default=None, max_length=255)\n"
FIELD = '    cpu_architecture: str | None = strawberry.field(description="The processor that it is built for.")\n'
INPUT = """    cpu_architecture: str | None = strawberry.field(
        default=None, description="The processor that it is built for, 1 to 255 characters."
    )
"""
KEPT = '    cpu_architecture: str | None = _optional_change("The processor that it is built for.", "null clears it")\n'
CHECK = '    "cpu_architecture": ("cpuArchitecture", True, label),\n'
MIGRATION = '''"""The processor of an image."""

import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{newest}"


def upgrade() -> None:
    op.add_column("image", sa.Column("cpu_architecture", sa.String(255)))
'''


class Copy:
    """A copy of the source tree that the test edits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "app", folder / "app", ignore=LEFT_OUT)

    def insert(self, file: str, line: str, before: str) -> None:
        """Insert a line into a file, before the first line that begins like this."""
        path = self.folder / file
        head, found, tail = path.read_text().partition(f"\n{before}")
        assert found, f"{before!r} begins no line of {file}"
        path.write_text(f"{head}\n{line}{before}{tail}")

    def add_the_field(self) -> None:
        self.insert("app/model.py", COLUMN, before="    tags: list[str]")
        self.insert("app/api/types/nodes.py", FIELD, before="    tags: list[str]")
        versions = self.folder / "app/store/migrations/versions"
        newest = max(path.name[:4] for path in versions.glob("0*.py"))
        migration = MIGRATION.format(newest=newest, next=f"{int(newest) + 1:04}")
        (versions / f"{int(newest) + 1:04}_cpu_architecture.py").write_text(migration)

    def let_clients_set_it(self) -> None:
        inputs = "app/api/types/inputs.py"
        self.insert(inputs, INPUT, before="    tags: list[str] = strawberry.field(")
        self.insert(inputs, KEPT, before="    tags: list[str] | None")
        self.insert("app/sharing/formats.py", CHECK, before='    "tags":')


class Client:
    """A tenant of the copy's server."""

    def __init__(self, url: str, tenant_id: str) -> None:
        secret = SharedSecret(settings_for("sqlite://"))
        token = secret.mint(tenant_id, frozenset({Role.ADMIN}), timedelta(hours=1), "tests")
        headers = {"authorization": f"Bearer {token}"}
        self._http = httpx2.Client(base_url=url.removesuffix("/graphql"), headers=headers, timeout=60)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def data(self, query: str, **variables: Any) -> Any:
        answer = self._http.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    @contextmanager
    def watching(self, query: str) -> Generator[Iterator[Any]]:
        """The items of a watch, as server-sent events."""
        accept = {"accept": "text/event-stream"}
        with self._http.stream("POST", "/graphql", json={"query": query}, headers=accept) as response:
            lines = response.iter_lines()
            yield (json.loads(line[5:])["data"] for line in lines if line.startswith("data:") and "data" in line[5:])

    def operations(self, way: str) -> float:
        """The number of operations that the server has executed in this way."""
        figures = self._http.get("/metrics").text
        return sum(
            float(found) for found in re.findall(rf"^image_gateway_{way}_operations_total.* (\S+)$", figures, re.M)
        )


def _set(database_url: str, image_id: str, value: str) -> None:
    """Set a value in the database that no client may set."""
    if database_url.startswith("sqlite"):
        with sqlite3.connect(database_url.partition("///")[2]) as sqlite:
            sqlite.execute("UPDATE image SET cpu_architecture = ? WHERE id = ?", (value, image_id))
        sqlite.close()
    else:
        with psycopg.connect(re.sub(r"^postgresql\+\w+", "postgresql", database_url)) as conn:
            conn.execute("UPDATE image SET cpu_architecture = %s WHERE id = %s", (value, image_id))


@pytest.mark.engine("sqlite")
def test_after_three_edits_a_new_field_can_be_read_everywhere(databases: Databases, tmp_path: Path) -> None:
    copy, url = Copy(tmp_path), databases.fresh()
    copy.add_the_field()
    output_of(tmp_path, "migrate", "--database", url)
    with start_serve(tmp_path, "--port", "0", "--database", url) as serving, Client(serving.url, OWNER) as owner:
        image = owner.data(REGISTER, input=IMAGE)["registerImage"]["image"]
        assert image["cpuArchitecture"] is None
        _set(url, image["id"], 'a "64" bit one')
        expected = {"cpuArchitecture": 'a "64" bit one'}
        for way, also in (("planned", ""), ("unplanned", "__schema { queryType { name } }")):
            before = owner.operations(way)
            answer = owner.data(f"query($id: ID!) {{ image(id: $id) {{ cpuArchitecture }} {also} }}", id=image["id"])
            assert (answer["image"], owner.operations(way)) == (expected, before + 1)
        updated = owner.data(UPDATE, input={"id": image["id"], "name": "renamed"})["updateImage"]
        assert updated == {"image": expected}
        with owner.watching(WATCH_IMAGES) as items:
            assert next(items) == {"watchImages": {"image": expected}}
        with Client(serving.url, CONSUMER) as consumer, consumer.watching(WATCH_OFFERS) as items:
            assert next(items) == {"watchOffers": {}}  # the initial bookmark of a watch
            [member] = owner.data(OFFER, id=image["id"])["offerImage"]["members"]
            assert member == {"image": expected}
            assert next(item for item in items if item["watchOffers"]) == {"watchOffers": {"member": member}}


@pytest.mark.long
def test_after_two_more_edits_clients_can_set_a_new_field(databases: Databases, tmp_path: Path) -> None:
    copy, url = Copy(tmp_path), databases.fresh()
    copy.add_the_field()
    copy.let_clients_set_it()
    output_of(tmp_path, "migrate", "--database", url)
    with start_serve(tmp_path, "--port", "0", "--database", url) as serving, Client(serving.url, OWNER) as owner:
        image = owner.data(REGISTER, input={**IMAGE, "cpuArchitecture": "x86_64"})["registerImage"]["image"]
        assert image["cpuArchitecture"] == "x86_64"
        for value in ("arm64", None):
            payload = owner.data(UPDATE, input={"id": image["id"], "cpuArchitecture": value})["updateImage"]
            assert payload == {"image": {"cpuArchitecture": value}}
        refused = owner.data(
            REGISTER.replace("image {", "errors { code path } image {"), input={**IMAGE, "cpuArchitecture": ""}
        )
        assert refused["registerImage"]["errors"] == [{"code": "BAD_USER_INPUT", "path": ["input", "cpuArchitecture"]}]


@pytest.mark.long
def test_the_demo_starts_with_a_new_field(tmp_path: Path) -> None:
    Copy(tmp_path).add_the_field()
    with start_serve(tmp_path, "--port", "0", "--demo") as serving:
        assert serving.tokens
