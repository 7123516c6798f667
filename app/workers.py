"""Several server processes on one socket, kept running until the server is stopped."""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

import structlog

from app.settings import Settings
from app.web.monitoring.peers import PeerSocket, open_peer_sockets

logger: Any = structlog.get_logger("workers")
LAST_SECONDS = 4
PAUSE_SECONDS = 1.0
Work = Callable[[Settings, socket.socket, PeerSocket], None]


class Workers:
    """Starts the workers, and replaces any that dies."""

    def __init__(self, settings: Settings, listener: socket.socket, work: Work) -> None:
        self._settings = settings
        self._listener = listener
        self._work = work
        self._processes: list[SpawnProcess] = []
        self._peer_sockets: list[PeerSocket] = []
        self._ending = False

    def run(self) -> None:
        """Run the workers until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._peer_sockets = open_peer_sockets(self._settings.workers)
        self._processes = [self._start(peer_socket) for peer_socket in self._peer_sockets]
        while not self._ending:
            wait([process.sentinel for process in self._processes], timeout=PAUSE_SECONDS)
            self._replace_dead_workers()
        self._wait_for_workers()

    def _replace_dead_workers(self) -> None:
        for place, process in enumerate(self._processes):
            if not self._ending and not process.is_alive():
                logger.error("a worker died", pid=process.pid, status=process.exitcode)
                # So that a worker that can't start does not keep the machine busy.
                time.sleep(PAUSE_SECONDS)
                if not self._ending:
                    self._processes[place] = self._start(self._peer_sockets[place])

    def _start(self, peer_socket: PeerSocket) -> SpawnProcess:
        arguments = (self._work, self._settings, self._listener, peer_socket)
        process = multiprocessing.get_context("spawn").Process(target=_run, args=arguments)
        process.start()
        return process

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True
        self._terminate_workers()

    def _terminate_workers(self) -> None:
        for process in self._processes:
            process.terminate()

    def _wait_for_workers(self) -> None:
        # Again, since a worker that was being started when the signal arrived was not among them yet.
        self._terminate_workers()
        patience = self._settings.drain_notice_seconds + self._settings.drain_seconds + LAST_SECONDS
        deadline = time.monotonic() + patience
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                logger.error("a worker did not end in time", pid=process.pid)
                process.kill()


def _run(work: Work, settings: Settings, listener: socket.socket, peer_socket: PeerSocket) -> None:
    """Serve in the worker process, and end when the parent process ends for any reason."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(settings, listener, peer_socket)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
