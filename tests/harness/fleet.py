"""Two workers on one PostgreSQL behind the balancer, as the compose file starts them."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.harness.balancer import WORKERS, Balancer, run_balancer
from tests.harness.kernel import free_port
from tests.harness.server import Server, run_server

NOTICE_SECONDS = 2


class Fleet:
    def __init__(self, folder: Path, database_url: str) -> None:
        self._folder = folder
        self._database_url = database_url
        self._ports = {name: free_port() for name in WORKERS}
        self._running = {name: ExitStack() for name in WORKERS}
        self.workers: dict[str, Server] = {}
        self.balancer: Balancer

    @property
    def ports(self) -> list[int]:
        return list(self._ports.values())

    def start(self, name: str) -> None:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        place = (folder, self._ports[name], self._database_url)
        running = run_server(*place, bookmark_seconds=0.5, drain_notice_seconds=NOTICE_SECONDS)
        self.workers[name] = self._running[name].enter_context(running)

    def stop(self, name: str) -> int:
        """Stop a worker with SIGTERM and return its exit status."""
        status = self.workers[name].terminate()
        self._running[name].close()
        return status

    def stop_all(self) -> None:
        for held in self._running.values():
            held.close()


@contextmanager
def run_fleet(folder: Path, database_url: str) -> Generator[Fleet]:
    """Run both workers and the balancer until the block ends; they are up when it begins."""
    workers = Fleet(folder, database_url)
    try:
        for name in WORKERS:
            workers.start(name)
        with run_balancer(folder, workers.ports) as workers.balancer:
            workers.balancer.wait_for_workers(*WORKERS)
            yield workers
    finally:
        workers.stop_all()
