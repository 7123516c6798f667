"""The guide "In front of your cloud" works as it stands."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cloud.cloud import Cloud
from tests.cloud.people import DOMAIN_READER
from tests.harness.kernel import free_port
from tests.harness.readme import DEFAULT_PLACE, block

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]


def programs(cloud: Cloud) -> dict[str, str]:
    """An environment in which the programs of the cloud are found, and its users as clouds."""
    path = f"{cloud.environment.folder / 'bin'}:{os.environ['PATH']}"
    clouds = {"OS_CLIENT_CONFIG_FILE": str(cloud.folder / "clouds.yaml")}
    # `mirror` shows its progress by the locale's characters.
    return {**os.environ, **clouds, "PATH": path, "LC_ALL": "C.UTF-8"}


async def run(script: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a script like somebody who copies it. Returns what its last command printed."""
    command = ["bash", "-euo", "pipefail", "-c", script]
    call = asyncio.to_thread(subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True)
    told: Any = await call
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout.splitlines()[-1]


async def test_from_nothing_to_an_inbox(cloud: Cloud, tmp_path: Path) -> None:
    image_id = await cloud.image("from the guide")
    async with cloud.images("producer") as images:
        await images.post(f"/images/{image_id}/members", json={"member": cloud.projects["consumer"]})
    script, place = block("real: cloud"), f"127.0.0.1:{free_port()}"
    assert len(script.splitlines()) <= 20
    name = f"gateway-{image_id[:8]}"
    for was, now in {
        "https://keystone.example.org/v3": cloud.keystone_url,
        "https://glance.example.org": cloud.glance_url,
        "serve &": f"serve --port {place.rpartition(':')[2]} & trap 'kill %1' EXIT",
        DEFAULT_PLACE: place,
        ".venv/bin/image-gateway": f"{sys.executable} -m app",
        "image-gateway\n": f"{name}\n",
        "user image-gateway": f"user {name}",
        "USERNAME=image-gateway": f"USERNAME={name}",
        "--rate 50": "--rate 1000",
    }.items():
        assert was in script
        script = script.replace(was, now)
    script, installed = re.subn(r"^python3 -m venv.*\n", "", script, flags=re.MULTILINE)
    assert installed == 1

    environment = programs(cloud) | {"PYTHONPATH": os.getcwd(), "IMAGE_GATEWAY_UPSTREAM_SECONDS": "60"}
    environment["IMAGE_GATEWAY_DATABASE_URL"] = f"sqlite+aiosqlite:///{tmp_path}/gateway.db"
    answer = json.loads(await run(script, tmp_path, environment))

    offer = {"status": "PENDING", "image": {"name": "from the guide", "owner": {"id": cloud.projects["producer"]}}}
    assert offer in answer["data"]["offers"]["nodes"]


async def test_the_policy_of_the_guide_lets_its_role_read_and_nothing_more(cloud: Cloud, tmp_path: Path) -> None:
    script = re.sub(r"^openstack .*role create.*\n", "", block("real: role"), flags=re.MULTILINE)
    await run(script.replace("user image-gateway", f"user {DOMAIN_READER}") + "echo done", tmp_path, programs(cloud))
    written = yaml.safe_load((tmp_path / "policy.yaml").read_text())

    # That of the tests, by which a role that reads everything has been shown to change nothing.
    tested = json.loads((cloud.folder / "conf" / "glance-policy.json").read_text())
    assert {name: written[name] for name in tested} == tested
    unknown = [rule for name, rule in written.items() if name not in tested and "context_is_admin" in rule]
    assert set(unknown) <= {rule for name, rule in written.items() if name in ("get_image", "get_images", "get_member")}
