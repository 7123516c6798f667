"""HAProxy as the compose file runs it, with `docker/haproxy.cfg`, before servers of this machine."""

import re
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.harness.kernel import free_port
from tests.harness.patience import PATIENCE_SECONDS
from tests.harness.server import Server

CONFIGURATION = Path(__file__).parent.parent.parent / "docker" / "haproxy.cfg"
WORKERS = ("gateway-a", "gateway-b")


class Balancer(Server):
    """What clients reach: the same as a server, with workers behind it."""

    inside: str

    def figures(self) -> str:
        """What Prometheus gets to know of it; nothing while it starts."""
        try:
            return self.client.get(f"{self.inside}/metrics").text
        except httpx2.ConnectError:
            return ""

    def until_these_serve(self, *workers: str) -> None:
        """Wait until the balancer sends to these workers, and to no other."""
        wanted = [f'server="{worker}",state="UP"}} {int(worker in workers)}' for worker in WORKERS]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(line in self.figures() for line in wanted):
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)  # The balancer rings no bell.


@contextmanager
def balanced(folder: Path, ports: list[int]) -> Generator[Balancer]:
    """A balancer before what listens at these ports, until the block ends."""
    public, inside = free_port(), free_port()
    places = {"bind :8080": f"bind 127.0.0.1:{public}", "bind :8404": f"bind 127.0.0.1:{inside}"}
    places |= {f"{worker}:8000": f"127.0.0.1:{port}" for worker, port in zip(WORKERS, ports, strict=True)}
    path = folder / "haproxy.cfg"
    path.write_text(_placed(CONFIGURATION.read_text(), places))
    with (
        (folder / "server.log").open("a") as log,
        subprocess.Popen(["haproxy", "-W", "-db", "-f", path], stdout=log, stderr=log, text=True) as process,
    ):
        balancer = Balancer(process, f"http://127.0.0.1:{public}/graphql", folder)
        balancer.inside = f"http://127.0.0.1:{inside}"
        try:
            yield balancer
        finally:
            balancer.client.close()
            process.terminate()


def reason_to_skip() -> str | None:
    return None if shutil.which("haproxy") else "haproxy is not installed"


def _placed(text: str, places: dict[str, str]) -> str:
    for there, here in places.items():
        text, found = re.subn(rf"{re.escape(there)}\b", here, text)
        assert found == 1, there
    return text
