"""Tempest's own tests of image members are green while a gateway mirrors the cloud, and the gateway keeps up."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.cloud import Cloud
from tests.cloud.environment import tempest
from tests.cloud.gateway import settings_before
from tests.cloud.users import Front
from tests.harness.databases import Databases
from tests.harness.gateway import start_gateway

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
TESTS = "tempest.api.image.v2.test_images_member"
SETTINGS = """
[DEFAULT]
log_file = {folder}/tempest.log
[auth]
admin_username = admin
admin_password = admin-secret
admin_project_name = admin
admin_domain_name = Default
use_dynamic_credentials = true
tempest_roles = member
[identity]
uri_v3 = {keystone_url}
auth_version = v3
region = here
[image]
region = here
[service_available]
glance = true
nova = false
cinder = false
neutron = false
swift = false
[oslo_concurrency]
lock_path = {folder}/lock
"""


@pytest.fixture
def program(request: pytest.FixtureRequest) -> str:
    assert request.config.cache is not None
    return tempest(request.config.cache.mkdir("cloud"))


@pytest.fixture
def workspace(cloud: Cloud, program: str, tmp_path: Path) -> Path:
    """A folder with Tempest's settings for this cloud."""
    folder = tmp_path / "workspace"
    command = [program, "init", "--workspace-path", str(tmp_path / "workspaces.yaml"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "etc" / "tempest.conf").write_text(SETTINGS.format(folder=folder, keystone_url=cloud.keystone_url))
    return folder


async def test_tempest_is_green_while_the_gateway_mirrors(
    cloud: Cloud, databases: Databases, program: str, workspace: Path
) -> None:
    changes: dict[str, Any] = {"upstream_poll_seconds": 0.5, "upstream_sweep_rate": 20}
    if cloud.bus_url is not None:
        changes |= {"upstream_bus_url": cloud.bus_url.replace("rabbit:", "amqp:"), "upstream_bus_queue": "tempest"}
    async with start_gateway(settings_before(cloud, databases.fresh(), **changes)) as gateway:
        await Front(cloud, gateway).image()  # the import is over for what comes now
        command = [program, "run", "--concurrency", "1", "--regex", TESTS]
        done = await asyncio.to_thread(subprocess.run, command, cwd=workspace, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3_000:]
    assert "Passed: 8" in " ".join(done.stdout.split()), done.stdout[-1_000:]
