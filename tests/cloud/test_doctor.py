"""What the doctor says of the cloud behind the gateway."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.cloud.cloud import Cloud
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


async def test_the_doctor_finds_a_credential_that_reads(cloud: Cloud, sqlite_databases: SqliteDatabases) -> None:
    await cloud.image()

    found = examined(cloud, sqlite_databases.fresh())

    assert (found["keystone"], found["glance"]) == ("ok", "ok")
    assert "tokens" not in found


def test_the_doctor_finds_what_is_wrong(cloud: Cloud, sqlite_databases: SqliteDatabases) -> None:
    url = sqlite_databases.fresh()

    assert examined(cloud, url, upstream_password="wrong")["keystone"] == "fail"
    assert examined(cloud, url, upstream_glance_url=f"{cloud.glance_url}/nowhere")["glance"] == "fail"
    assert examined(cloud, url, upstream_project=None)["upstream"] == "fail"
    admin = {"upstream_username": "admin", "upstream_password": "admin-secret", "upstream_project": "admin"}
    assert examined(cloud, url, **admin)["keystone"] == "note"
