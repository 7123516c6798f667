"""A process that has imported the gateway, and forks a child that runs `image-gateway` for each request.

`tests.harness.forks` starts it as `python -m tests.harness.fork_server`, with a descriptor of a Unix socket. A request
is a JSON object with three descriptors: standard output, standard error, and the pipe that takes the child's process ID
and then its exit status.
"""

import gc
import importlib
import json
import os
import runpy
import selectors
import socket
import sys
from typing import Any, NamedTuple

# Includes modules that the gateway imports lazily, when it serves or connects to its store.
PRELOADED = [
    "app.cli",
    "aiosqlite",
    "psycopg_pool",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
]
LONGEST_REQUEST = 1_000_000


class Launch(NamedTuple):
    """A request for a child process, and the child's output descriptors."""

    request: dict[str, Any]
    stdout: int
    stderr: int


def main() -> None:
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    if launch := fork_on_request(socket.socket(fileno=int(sys.argv[1]))):
        become(launch)


def fork_on_request(requests: socket.socket) -> Launch | None:
    """Fork a child for each request. Returns the launch in a child, and None in the fork server at end of file."""
    with requests, selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not requests:
                    selector.unregister(key.fileobj)
                    report_exit(key.fd, *key.data)
                    continue
                message, descriptors, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 3)
                if not message:
                    return None
                stdout, stderr, status = descriptors
                if (pid := os.fork()) == 0:
                    return Launch(json.loads(message), stdout, stderr)
                os.close(stdout)
                os.close(stderr)
                os.write(status, f"{pid}\n".encode())
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, status))


def report_exit(pidfd: int, pid: int, status: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(pidfd)
    os.write(status, f"{code}\n".encode())
    os.close(status)


def become(launch: Launch) -> None:
    """Run the command with its own descriptors, folder, environment and arguments, like a new process."""
    os.dup2(launch.stdout, 1)
    os.dup2(launch.stderr, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(launch.request["folder"])
    os.environ.clear()
    os.environ.update(launch.request["environment"])
    sys.argv = ["image-gateway", *launch.request["arguments"]]
    runpy.run_module("app", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
