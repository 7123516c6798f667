"""Reads a server's connections, processes, memory and CPU time from the kernel."""

import os
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

ESTABLISHED = "01"
CORES = sorted(os.sched_getaffinity(0))


_found_ports: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that this process has not found before."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        if port not in _found_ports:
            _found_ports.add(port)
            return port


def connection_count(port: int) -> int:
    """The number of established connections to a port of this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED for row in rows)


def workers_of(pid: int) -> list[int]:
    """The worker processes of a server, without Python's resource tracker."""
    found = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True)
    lines = [line.split(None, 1) for line in found.stdout.splitlines()]
    return [int(child) for child, arguments in lines if "spawn_main" in arguments]


def memory_of(pid: int) -> int:
    """Resident memory of a process in bytes; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(found[0]) * 1024 if found else 0


def cpu_of(pid: int) -> float:
    """Seconds of CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def process_tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = list[int]()
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):  # the thread has ended
            children += map(int, (thread / "children").read_text().split())
    return [pid, *(member for child in children for member in process_tree(child))]


def tree_cpu_of(pid: int) -> float:
    """Seconds of CPU time of a process and all its descendants, with nanosecond precision."""
    return sum(map(_precise_cpu_of, process_tree(pid)))


def _precise_cpu_of(pid: int) -> float:
    try:
        # The clock ID that clock_getcpuclockid(3) returns, which Python does not expose.
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0  # it has ended


@contextmanager
def pin_to_core(core: int) -> Generator[None]:
    """Pin this process and its new children to one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[core % len(CORES)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
