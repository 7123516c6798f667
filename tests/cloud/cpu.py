"""CPU time of the processes of a cloud: Glance, and its PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path

from tests.cloud.cloud import Cloud

TICK = os.sysconf("SC_CLK_TCK")


def glance_seconds(cloud: Cloud) -> float:
    """The CPU seconds that Glance and the database of the cloud have taken so far."""
    database = (cloud.folder / "postgres" / "postmaster.pid").read_text().split()[0]
    return sum(
        _seconds(process) for process in processes() if _is_glance(process, cloud) or parent(process) == database
    )


def process_seconds(pid: int) -> float:
    """The CPU seconds of a process and its children."""
    return sum(_seconds(process) for process in processes() if process.name == str(pid) or parent(process) == str(pid))


def processes() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdigit())


def _is_glance(process: Path, cloud: Cloud) -> bool:
    """Gunicorn hides its command line and environment, but not the log that it writes."""
    log = str(cloud.folder / "log" / "glance-access.log")
    try:
        return any(file.is_symlink() and str(file.readlink()) == log for file in (process / "fd").iterdir())
    except OSError:
        return False


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def parent(process: Path) -> str:
    return stat[1] if (stat := _stat(process)) else ""


def _seconds(process: Path) -> float:
    """User and system time, with that of children that have ended."""
    return sum(map(int, stat[11:15])) / TICK if (stat := _stat(process)) else 0.0
