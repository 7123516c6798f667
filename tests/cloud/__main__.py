"""python -m tests.cloud: a small cloud to try things with, until Ctrl-C."""

import signal
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from tests.cloud import cloud as clouds
from tests.cloud.environment import installed
from tests.cloud.people import USERS
from tests.cloud.services import Options

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    cache: Annotated[Path, typer.Option(help="Where the programs are kept.")] = Path(".pytest_cache/d/cloud"),
    glance_workers: Annotated[int, typer.Option(help="Processes of Glance.")] = 1,
) -> None:
    """Start Keystone, Glance, PostgreSQL and RabbitMQ, and say how to reach them."""
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    typer.echo("Installing what is missing, and starting...")
    with TemporaryDirectory(prefix="cloud-") as name:
        (folder := Path(name)).chmod(0o755)
        with clouds.running(folder, installed(cache.absolute()), Options(glance_workers)) as cloud:
            clouds.write(cloud, folder / "cloud.json")
            typer.echo(f"Keystone {cloud.keystone_url}, Glance {cloud.glance_url}, bus {cloud.bus_url}")
            typer.echo(f"tests: .venv/bin/pytest -m cloud --cloud={folder}/cloud.json")
            typer.echo(f"client: OS_CLIENT_CONFIG_FILE={folder}/clouds.yaml {cloud.environment.program('openstack')}")
            typer.echo(f"        --os-cloud NAME, with a NAME among {', '.join(USERS)}")
            is_over.wait()


if __name__ == "__main__":
    app()
