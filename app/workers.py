"""Several server processes on one socket, kept running until they are told to end."""

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
from app.web.monitoring.peers import Desk, open_desks

logger: Any = structlog.get_logger("workers")
LAST_SECONDS = 4
PAUSE_SECONDS = 1.0
Work = Callable[[Settings, socket.socket, Desk], None]


class Workers:
    """Starts the workers, and starts again any that dies by itself."""

    def __init__(self, settings: Settings, listener: socket.socket, work: Work) -> None:
        self._settings = settings
        self._listener = listener
        self._work = work
        self._processes: list[SpawnProcess] = []
        self._desks: list[Desk] = []
        self._ending = False

    def run(self) -> None:
        """Until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._desks = open_desks(self._settings.workers)
        self._processes = [self._start(desk) for desk in self._desks]
        while not self._ending:
            wait([process.sentinel for process in self._processes], timeout=PAUSE_SECONDS)
            self._replace_the_dead()
        self._wait_for_the_last()

    def _replace_the_dead(self) -> None:
        for place, process in enumerate(self._processes):
            if not self._ending and not process.is_alive():
                logger.error("a worker died", pid=process.pid, status=process.exitcode)
                # One that can't start must not keep the machine busy.
                time.sleep(PAUSE_SECONDS)
                if not self._ending:
                    self._processes[place] = self._start(self._desks[place])

    def _start(self, desk: Desk) -> SpawnProcess:
        arguments = (self._work, self._settings, self._listener, desk)
        process = multiprocessing.get_context("spawn").Process(target=_run, args=arguments)
        process.start()
        return process

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True
        self._tell_to_end()

    def _tell_to_end(self) -> None:
        for process in self._processes:
            process.terminate()

    def _wait_for_the_last(self) -> None:
        # One that was being started when the signal came was not among them yet.
        self._tell_to_end()
        patience = self._settings.drain_notice_seconds + self._settings.drain_seconds + LAST_SECONDS
        deadline = time.monotonic() + patience
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                logger.error("a worker did not end in time", pid=process.pid)
                process.kill()


def _run(work: Work, settings: Settings, listener: socket.socket, desk: Desk) -> None:
    """In the worker: serve, and end with the process that started it, however that one ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(settings, listener, desk)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
