"""The container image: the wheel alone, served by an unprivileged user from a read-only file system."""

import asyncio
import json
import signal
import stat
import zipfile
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import pytest
from cyclonedx.schema import SchemaVersion

from tests.harness.container import DATA, ROOT, Container, Stage, build_wheel, install_wheel, is_root
from tests.harness.gateway import SECRET
from tests.harness.kernel import free_port
from tests.harness.operations import WATCH
from tests.harness.server import Server
from tests.harness.sockets import connect_socket
from tests.harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.long]

STAGE = Stage((ROOT / "docker" / "Dockerfile").read_text())
TRY_TO_WRITE = """
import os, sys, app
print(os.getuid())
for folder in (os.path.dirname(app.__file__), sys.prefix, "/", "/tmp", "/var/tmp", "."):
    try:
        open(os.path.join(folder, "written"), "w").close()
        os.remove(os.path.join(folder, "written"))
        print(folder)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def place() -> Generator[Path]:
    # Not below pytest's own folder, which other users may not read.
    with TemporaryDirectory(prefix="gateway-image-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    return build_wheel(place / "dist")


@pytest.fixture(scope="module")
def environment(place: Path, wheel: Path) -> Path:
    install_wheel(wheel, place / "environment")
    if not is_root():
        for path in (place / "environment").rglob("*"):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return place / "environment"


def test_the_wheel_contains_an_sbom_of_its_third_party_packages(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if ".dist-info/sboms/" in name]
    text = archive.read(name).decode()
    carried = {unquote(one["purl"]) for one in json.loads(text)["components"]}

    # Imported here, because it compiles dozens of grammars, which would slow down collection.
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    locked = json.loads((ROOT / "app" / "web" / "graphiql" / "package-lock.json").read_text())["packages"]
    built_in = {path.rpartition("node_modules/")[2]: one for path, one in locked.items() if path and "dev" not in one}
    assert {purl.rpartition("@")[0] for purl in carried} == {f"pkg:npm/{name}" for name in built_in}
    assert {f"pkg:npm/{name}@{one['version']}" for name, one in built_in.items()} <= carried


def test_the_image_matches_its_documentation() -> None:
    assert STAGE.user.partition(":")[0].isdigit()
    assert STAGE.user != "0:0"
    assert STAGE.stop_signal == "SIGTERM"
    assert STAGE.volumes == [STAGE.folder] == [DATA]
    assert STAGE.environment["IMAGE_GATEWAY_DATABASE_URL"] == f"sqlite+aiosqlite:///{DATA}/gateway.db"


async def test_the_image_serves_unprivileged_from_a_read_only_file_system_and_keeps_its_data(
    place: Path, environment: Path
) -> None:
    (data := place / "data").mkdir()
    port = str(free_port())
    container = Container(STAGE, environment, data, IMAGE_GATEWAY_PORT=port, IMAGE_GATEWAY_AUTH_SECRET=SECRET)

    written = container.run(["python", "-c", TRY_TO_WRITE]).stdout.split()
    if is_root():
        assert written == [STAGE.user.partition(":")[0], "."]
    assert container.run(STAGE.healthcheck).returncode == 1
    found, ready = list[str](), [*STAGE.healthcheck, "--ready"]
    for _ in range(2):
        with container.start(STAGE.command) as process:
            try:
                await wait_until(lambda: container.run(ready).returncode == 0 or process.poll() is not None)
                server = Server(process, f"http://127.0.0.1:{port}/graphql", data)
                token = server.token("1")
                found = [
                    node["name"] for node in server.data("{ images { nodes { name } } }", token)["images"]["nodes"]
                ]
                server.register(token)
                async with connect_socket(server, token) as peer:
                    await peer.subscribe(WATCH)
                    await peer.next_item()
                    process.send_signal(signal.Signals[STAGE.stop_signal])
                    assert await peer.close_code() == 1012
                server.client.close()
                assert await asyncio.to_thread(process.wait, 20) == 0
            finally:
                process.kill()

    assert len(found) == 1
    assert container.run(STAGE.healthcheck).returncode == 1


def test_the_image_does_not_serve_without_a_secret(place: Path, environment: Path) -> None:
    (data := place / "empty").mkdir()

    refused = Container(STAGE, environment, data).run(STAGE.command)

    assert refused.returncode == 1
    assert "IMAGE_GATEWAY_AUTH_SECRET" in refused.stderr
