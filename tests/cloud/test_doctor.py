"""What the doctor says of the cloud behind the gateway."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.people import DOMAIN_READER
from tests.harness.databases import SqliteDatabases
from tests.harness.server import _environment

pytestmark = pytest.mark.cloud


def examined(cloud: Cloud, database_url: str, **changes: Any) -> dict[str, str]:
    """The results of the checks by their names."""
    settings: dict[str, Any] = {
        "auth_secret": None,
        "database_url": database_url,
        "upstream": "glance",
        "upstream_keystone_url": cloud.keystone_url,
        "upstream_glance_url": cloud.glance_url,
        "upstream_username": "observer",
        "upstream_password": "observer-secret",
        "upstream_project": "service",
        "upstream_seconds": 60,
    }
    command = [sys.executable, "-m", "app", "doctor", "--json"]
    environment = _environment(**{**settings, **changes})
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
    return {check["name"]: check["result"] for check in json.loads(printed)}


async def test_the_doctor_finds_a_credential_that_reads(
    cloud: Cloud, sqlite_databases: SqliteDatabases, bus_url: str
) -> None:
    await cloud.image()
    names = ("keystone", "glance", "rights", "upstream clocks", "notifications")
    projects = {"upstream_username": DOMAIN_READER, "upstream_password": f"{DOMAIN_READER}-secret"}
    projects |= {"upstream_read_access": "projects", "upstream_project": None}

    for changes in ({"upstream_bus_url": bus_url.replace("rabbit:", "amqp:")}, projects):
        found = examined(cloud, sqlite_databases.fresh(), **changes)
        expected = ["ok", "ok", "ok", "ok", "ok" if "upstream_bus_url" in changes else "note"]
        assert [found.get(name) for name in names] == expected
        assert "tokens" not in found


def _as(user: str, project: str) -> dict[str, Any]:
    return {"upstream_username": user, "upstream_password": f"{user}-secret", "upstream_project": project}


@pytest.mark.parametrize(
    ("changes", "name", "result"),
    [
        ({"upstream_password": "wrong"}, "keystone", "fail"),
        ({"upstream_project": None}, "upstream", "fail"),
        (_as("admin", "admin"), "keystone", "note"),
        (_as("admin", "admin"), "rights", "note"),
        (_as("consumer-reader", "consumer"), "rights", "note"),
        ({"upstream_bus_url": "amqp://127.0.0.1:1/"}, "notifications", "fail"),
    ],
)
async def test_the_doctor_finds_what_is_wrong(
    cloud: Cloud, sqlite_databases: SqliteDatabases, changes: dict[str, Any], name: str, result: str
) -> None:
    # What is shared to the user's own project shows no right to see what is shared to others.
    image_id, consumer = await cloud.image(), cloud.projects["consumer"]
    async with cloud.images("producer") as producer, cloud.images("consumer") as images:
        await producer.post(f"/images/{image_id}/members", json={"member": consumer})
        await images.put(f"/images/{image_id}/members/{consumer}", json={"status": "accepted"})
    await cloud.image(user="consumer")

    assert examined(cloud, sqlite_databases.fresh(), **changes)[name] == result


def test_the_doctor_finds_a_glance_that_is_not_there(cloud: Cloud, sqlite_databases: SqliteDatabases) -> None:
    url = f"{cloud.glance_url}/nowhere"

    assert examined(cloud, sqlite_databases.fresh(), upstream_glance_url=url)["glance"] == "fail"
