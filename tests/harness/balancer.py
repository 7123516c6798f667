"""Runs HAProxy with `docker/haproxy.cfg`, as the compose file does, in front of servers on this machine."""

import re
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.harness.kernel import free_port
from tests.harness.server import Server
from tests.harness.waiting import PATIENCE_SECONDS

CONFIGURATION = Path(__file__).parent.parent.parent / "docker" / "haproxy.cfg"
WORKERS = ("gateway-a", "gateway-b")


class Balancer(Server):
    """A server whose requests are balanced over the workers behind it."""

    stats_url: str

    def metrics(self) -> str:
        """Its metrics in Prometheus text format; empty while it starts."""
        try:
            return self.client.get(f"{self.stats_url}/metrics").text
        except httpx2.ConnectError:
            return ""

    def wait_for_workers(self, *workers: str) -> None:
        """Wait until the balancer considers exactly these workers up."""
        expected = [f'server="{worker}",state="UP"}} {int(worker in workers)}' for worker in WORKERS]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(line in self.metrics() for line in expected):
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)  # HAProxy sends no notification.


@contextmanager
def run_balancer(folder: Path, ports: list[int]) -> Generator[Balancer]:
    """Run a balancer in front of these ports until the block ends."""
    public, stats = free_port(), free_port()
    addresses = {"bind :8080": f"bind 127.0.0.1:{public}", "bind :8404": f"bind 127.0.0.1:{stats}"}
    addresses |= {f"{worker}:8000": f"127.0.0.1:{port}" for worker, port in zip(WORKERS, ports, strict=True)}
    path = folder / "haproxy.cfg"
    path.write_text(_replace_addresses(CONFIGURATION.read_text(), addresses))
    with (
        (folder / "server.log").open("a") as log,
        subprocess.Popen(["haproxy", "-W", "-db", "-f", path], stdout=log, stderr=log, text=True) as process,
    ):
        balancer = Balancer(process, f"http://127.0.0.1:{public}/graphql", folder)
        balancer.stats_url = f"http://127.0.0.1:{stats}"
        try:
            yield balancer
        finally:
            balancer.client.close()
            process.terminate()


def reason_to_skip() -> str | None:
    return None if shutil.which("haproxy") else "haproxy is not installed"


def _replace_addresses(text: str, addresses: dict[str, str]) -> str:
    for old, new in addresses.items():
        text, found = re.subn(rf"{re.escape(old)}\b", new, text)
        assert found == 1, old
    return text
