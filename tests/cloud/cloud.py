"""One running cloud, as tests use it."""

import asyncio
import grp
import json
import os
import pwd
import subprocess
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx2

from tests.cloud import database, services
from tests.cloud.environment import Environment, rabbitmq_server
from tests.cloud.people import ADMIN, USERS, Identity, populate, write_clouds
from tests.cloud.process import Process, described
from tests.cloud.services import Folder, GlanceParts, Options
from tests.harness.kernel import free_port


@dataclass
class Cloud:
    """Keystone, Glance, PostgreSQL and, where it is installed, RabbitMQ. `projects` are IDs by name."""

    folder: Path
    environment: Environment
    keystone_url: str
    glance_url: str
    bus_url: str | None
    glance_database_url: str
    projects: dict[str, str]
    _tokens: dict[str, str] = field(default_factory=dict)

    @cached_property
    def identity(self) -> Identity:
        return Identity(self.keystone_url)

    # All of it is asynchronous: a gateway in the same process must be able to send what it has begun to, because a
    # worker of Keystone or Glance waits for each request that it has accepted, and serves nobody else meanwhile.

    async def token(self, user: str) -> str:
        """A token of this user for its project; the same one each time."""
        if user not in self._tokens:
            self._tokens[user] = await self.fresh_token(user)
        return self._tokens[user]

    async def fresh_token(self, user: str) -> str:
        project = USERS[user][0] if user in USERS else ADMIN
        return (await asyncio.to_thread(self.identity.token, user, project)).id

    @asynccontextmanager
    async def images(self, user: str) -> AsyncGenerator[httpx2.AsyncClient]:
        """Glance's API, called by this user; paths begin below `/v2`."""
        headers, url = {"X-Auth-Token": await self.token(user)}, f"{self.glance_url}/v2"
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            yield client

    async def openstack(self, user: str, *arguments: str) -> str:
        """What the `openstack` command of this user prints."""
        environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(self.folder / "clouds.yaml")}
        command = [self.environment.program("openstack"), "--os-cloud", user, *arguments]
        run = partial(subprocess.run, command, env=environment, capture_output=True, text=True, check=True)
        return (await asyncio.to_thread(run)).stdout

    def service(self, name: str) -> Process:
        """The process of `keystone`, `glance` or the `bus`."""
        return described(self.folder / "run" / f"{name}.json")

    async def image(self, name: str = "ubuntu", user: str = "producer", **fields: Any) -> str:
        """A new image of this user's project, without data; its ID."""
        image = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "shared", **fields}
        async with self.images(user) as images:
            return (await images.post("/images", json=image)).raise_for_status().json()["id"]


@contextmanager
def running(folder: Path, environment: Environment, options: Options | None = None) -> Generator[Cloud]:
    """A new cloud with empty stores, until the block ends."""
    options, home = options or Options(), Folder(folder)
    with ExitStack() as stack:
        store = stack.enter_context(database.running(home.made("postgres")))
        bus_url = _bus(home, stack)
        keystone_url = f"http://127.0.0.1:{(keystone_port := free_port())}/v3"
        glance_url = f"http://127.0.0.1:{(glance_port := free_port())}"
        for name in ("keystone", "glance"):
            store.create(name)
        keystone_file = services.keystone_settings(home, store.openstack_url("keystone"), options)
        policy = services.observer_policy(home, environment)
        parts = GlanceParts(glance_url, keystone_url, store.openstack_url("glance"), bus_url, policy)
        glance_file = services.glance_settings(home, environment, parts, options)
        _create_tables(home, environment, keystone_file, glance_file, keystone_url)

        for name, port, workers in (("keystone", keystone_port, 1), ("glance", glance_port, options.glance_workers)):
            process = services.wsgi_server(name, port, workers, home, environment)
            stack.callback(process.stop)
            process.start()
        projects = populate(Identity(keystone_url), glance_url)
        write_clouds(folder / "clouds.yaml", keystone_url)
        yield Cloud(folder, environment, keystone_url, glance_url, bus_url, store.url("glance"), projects)


def write(cloud: Cloud, file: Path) -> None:
    """Let another process find the cloud by this file."""
    facts = {one.name: getattr(cloud, one.name) for one in fields(cloud) if not one.name.startswith("_")}
    file.write_text(json.dumps({**facts, "folder": str(cloud.folder), "environment": str(cloud.environment.folder)}))


def read(file: Path) -> Cloud:
    """The cloud that another process has started."""
    facts: dict[str, Any] = json.loads(file.read_text())
    folder, environment = Path(facts.pop("folder")), Environment(Path(facts.pop("environment")))
    return Cloud(folder, environment, **facts)


def _bus(folder: Folder, stack: ExitStack) -> str | None:
    if (program := rabbitmq_server()) is None:
        return None
    mapper, bus, port = services.broker(program, folder)
    for process in (mapper, bus):
        stack.callback(process.stop)
        process.start()
    return f"rabbit://guest:guest@127.0.0.1:{port}/"


def _create_tables(folder: Folder, environment: Environment, keystone: Path, glance: Path, keystone_url: str) -> None:
    """Both at once: each takes a good while."""

    def manage(service: str, settings: Path, *arguments: str) -> None:
        command = [environment.program(f"{service}-manage"), "--config-file", str(settings), *arguments]
        with folder.log(f"{service}-manage").open("ab") as log:
            subprocess.run(command, stdout=log, stderr=log, check=True)

    def keystone_tables() -> None:
        manage("keystone", keystone, "db_sync")
        owner = ["--keystone-user", pwd.getpwuid(os.getuid()).pw_name]
        owner += ["--keystone-group", grp.getgrgid(os.getgid()).gr_name]
        for keys in ("fernet_setup", "credential_setup"):
            manage("keystone", keystone, keys, *owner)
        urls = ["--bootstrap-public-url", keystone_url, "--bootstrap-internal-url", keystone_url]
        urls += ["--bootstrap-region-id", "here"]
        manage("keystone", keystone, "bootstrap", "--bootstrap-password", f"{ADMIN}-secret", *urls)

    with ThreadPoolExecutor() as pool:
        made = [pool.submit(keystone_tables), pool.submit(manage, "glance", glance, "db_sync")]
        for one in made:
            one.result()
