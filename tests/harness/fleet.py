"""Two workers on one PostgreSQL behind the balancer, as the compose file starts them."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.harness.balancer import WORKERS, Balancer, balanced
from tests.harness.kernel import free_port
from tests.harness.server import Server, serving

NOTICE_SECONDS = 2


class Fleet:
    def __init__(self, folder: Path, database_url: str) -> None:
        self._folder = folder
        self._database_url = database_url
        self._ports = {name: free_port() for name in WORKERS}
        self._held = {name: ExitStack() for name in WORKERS}
        self.workers: dict[str, Server] = {}
        self.balancer: Balancer

    @property
    def ports(self) -> list[int]:
        return list(self._ports.values())

    def start(self, name: str) -> None:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        place = (folder, self._ports[name], self._database_url)
        running = serving(*place, bookmark_seconds=0.5, drain_notice_seconds=NOTICE_SECONDS)
        self.workers[name] = self._held[name].enter_context(running)

    def end(self, name: str) -> int:
        """Its exit status, after SIGTERM."""
        status = self.workers[name].terminate()
        self._held[name].close()
        return status

    def end_all(self) -> None:
        for held in self._held.values():
            held.close()


@contextmanager
def fleet(folder: Path, database_url: str) -> Generator[Fleet]:
    """Both workers serve, and the balancer knows it."""
    found = Fleet(folder, database_url)
    try:
        for name in WORKERS:
            found.start(name)
        with balanced(folder, found.ports) as found.balancer:
            found.balancer.until_these_serve(*WORKERS)
            yield found
    finally:
        found.end_all()
