"""Checks of the machine: its limits, its disk, and the embedded store's files."""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.admin.findings import Check, fail, note, ok, ok_or_fail
from app.settings import Settings
from app.store.statistics import wal_bytes

# Open files beside the sockets of clients: libraries, logs, and connections to the store.
OTHER_FILES = 100
LEAST_FREE_BYTES = 512 * 2**20
MUCH_WAL_BYTES = 256 * 2**20


def file_limit(settings: Settings) -> Check:
    """Check that one process may open at least a socket for each connection that one tenant may have."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections_per_tenant + OTHER_FILES
    found = f"{limit} files may be open in one process, and {needed} are needed for the sockets of one tenant"
    remedy = f"it by `ulimit -n {needed}`" if most in (resource.RLIM_INFINITY, max(most, needed)) else "the hard limit"
    advice = (
        f"Raise it before `serve`: {remedy} (systemd: LimitNOFILE=), or lower IMAGE_GATEWAY_MAX_CONNECTIONS_PER_TENANT."
    )
    return ok_or_fail("file limit", limit >= needed, found, advice)


def check_embedded_store(path: Path) -> Iterator[Check]:
    """Check the folder, the file and the disk of the embedded store."""
    folder = path.parent
    if not folder.is_dir():
        yield fail(
            "store file", f"there is no folder {folder}", "Make it, or choose another IMAGE_GATEWAY_DATABASE_URL."
        )
        return
    yield _writable(path)
    yield _disk_space(folder, path)
    yield _wal(path)


def _writable(path: Path) -> Check:
    needed = [path.parent, *(one for one in (path, path.with_name(f"{path.name}.lock")) if one.exists())]
    refused = [one for one in needed if not os.access(one, os.W_OK)]
    if refused:
        who = f"user {os.getuid()}"
        return fail(
            "store file", f"{refused[0]} can't be written by {who}", f"Give it to {who}, or serve as its owner."
        )
    if not path.exists():
        return note("store file", f"there is no {path} yet", "`serve` and `migrate` make it.")
    return ok("store file", f"{path} and its folder can be written")


def _disk_space(folder: Path, path: Path) -> Check:
    free = shutil.disk_usage(folder).free
    needed = max(LEAST_FREE_BYTES, path.stat().st_size if path.exists() else 0)
    found = f"{_mib(free)} are free for {folder}, and {_mib(needed)} are needed"
    return ok_or_fail(
        "disk space", free >= needed, found, "Free some space: the store refuses every change when the disk is full."
    )


def _wal(path: Path) -> Check:
    size = wal_bytes(path)
    found = f"the write-ahead log has {_mib(size)}"
    if size <= MUCH_WAL_BYTES:
        return ok("write-ahead log", found)
    return note("write-ahead log", found, "Look for a program that holds a long transaction on the file, and end it.")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
