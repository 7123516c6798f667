"""The supervisor gets SIGTERM while it starts a worker: no worker is left running, and none is killed."""

import os
import signal
import socket
from collections.abc import Callable, Iterator

import pytest

from app import workers
from app.web.monitoring.peers import PeerSocket
from app.workers import Workers
from tests.harness.gateway import settings_for


class FakeProcess:
    """A worker that runs until terminated, as seen by the supervisor."""

    def __init__(self, is_dead: bool = False) -> None:
        self.pid, self.exitcode, self.is_dead, self.was_killed = 0, 0, is_dead, False
        self.sentinel, self._other_end = os.pipe()

    def is_alive(self) -> bool:
        return not self.is_dead

    def terminate(self) -> None:
        self.is_dead = True

    def kill(self) -> None:
        self.was_killed = self.is_dead = True

    def join(self, timeout: float) -> None:
        """Return at once or never."""

    def close(self) -> None:
        os.close(self.sentinel)
        os.close(self._other_end)


@pytest.fixture
def started() -> Iterator[list[FakeProcess]]:
    """All started processes. The signal handlers of this process are restored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    made: list[FakeProcess] = []
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)
    for process in made:
        process.close()


def _run(monkeypatch: pytest.MonkeyPatch, start: Callable[..., FakeProcess]) -> None:
    monkeypatch.setattr(Workers, "_start", start)
    monkeypatch.setattr(workers, "open_peer_sockets", lambda number: [PeerSocket(place) for place in range(number)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = settings_for("postgresql://nowhere/none", workers=2)
        Workers(settings, listener, lambda *_: None).run()


def test_workers_that_were_starting_at_sigterm_are_terminated_too(
    monkeypatch: pytest.MonkeyPatch, started: list[FakeProcess]
) -> None:
    def start(*_: object) -> FakeProcess:
        started.append(FakeProcess())
        signal.raise_signal(signal.SIGTERM)
        return started[-1]

    _run(monkeypatch, start)

    assert [process.was_killed for process in started] == [False, False]


def test_a_dead_worker_is_not_replaced_after_sigterm(
    monkeypatch: pytest.MonkeyPatch, started: list[FakeProcess]
) -> None:
    def start(*_: object) -> FakeProcess:
        started.append(FakeProcess(is_dead=not started))
        return started[-1]

    monkeypatch.setattr(workers.time, "sleep", lambda _: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(workers, "wait", lambda *_, **__: [])
    _run(monkeypatch, start)

    assert len(started) == 2
    assert not any(process.was_killed for process in started)
