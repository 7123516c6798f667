"""Runs clients that resume their watch in processes of their own, with tokens that expire mid-stream."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer
from time import sleep
from typing import Any

from tests.harness.node import FOLDER
from tests.harness.server import Server

UNTIL = "999999"
PATIENCE_SECONDS = 120
TOKEN_SECONDS = 3


@contextmanager
def run_watcher(client: str, server: Server, tokens: Path, url: str | None = None) -> Generator[subprocess.Popen[str]]:
    """Run a client that prints the items it receives until it receives one of the tenant UNTIL."""
    arguments = {
        "client": client,
        "url": url or server.ws_url,
        "module": f"{server.base}/resumable.js",
        "tokens": str(tokens),
        "until": UNTIL,
        "cursor": str(tokens.with_name("cursor")),
    }
    tests = Path(__file__).parent.parent
    command = [sys.executable, "-m", "tests.harness.watcher"] if client == "python" else ["node", "resume.mjs"]
    cwd = tests.parent if client == "python" else FOLDER
    environment = {**os.environ, "PYTHONPATH": str(tests.parent)}
    with subprocess.Popen(
        [*command, json.dumps(arguments)], cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        timer = Timer(PATIENCE_SECONDS, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()


@contextmanager
def renew_tokens(server: Server, path: Path) -> Generator[None]:
    """Keep writing a fresh, short-lived token to the path until the block ends."""
    ended = Event()

    def renew() -> None:
        while not ended.is_set():
            fresh = path.with_suffix(".fresh")
            fresh.write_text(server.token("1", ttl=TOKEN_SECONDS))
            fresh.replace(path)
            ended.wait(0.5)

    renewing = Thread(target=renew)
    renewing.start()
    while not path.exists():
        sleep(0.01)  # the other thread is about to write the first one
    try:
        yield
    finally:
        ended.set()
        renewing.join()


def next_item(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the client has ended"
    return json.loads(line)


def remaining_items(process: subprocess.Popen[str]) -> list[Any]:
    """The items that the client receives until it exits, which must be successful."""
    assert process.stdout is not None
    lines = [json.loads(line) for line in process.stdout]
    assert process.wait(PATIENCE_SECONDS) == 0, lines[-3:]
    return lines
