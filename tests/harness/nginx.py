"""Runs nginx with `docker/nginx.conf` on a free port, with a self-signed certificate."""

import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.kernel import free_port
from tests.harness.readme import DEFAULT_PLACE, NGINX
from tests.harness.server import Server
from tests.harness.waiting import PATIENCE_SECONDS

_MAIN_CONFIGURATION = """daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{ {temporary}
{recipe} }}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def reason_to_skip() -> str | None:
    return None if shutil.which("nginx") and shutil.which("openssl") else "nginx or openssl is not installed"


@contextmanager
def run_nginx(server: Server, folder: Path) -> Generator[int]:
    """Run nginx in front of the server and return its port."""
    port = free_port()
    for name in ("gateway.crt", "gateway.key"):
        (folder / name).touch(0o600)
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    command += ["-keyout", str(folder / "gateway.key"), "-out", str(folder / "gateway.crt")]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "nginx.conf").write_text(_configuration(server, folder, port))
    with subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _configuration(server: Server, folder: Path, port: int) -> str:
    recipe = NGINX.read_text().replace(DEFAULT_PLACE, f"127.0.0.1:{server.port}")
    recipe = recipe.replace("listen 443", f"listen 127.0.0.1:{port}")
    recipe = recipe.replace("/etc/nginx/", f"{folder}/").replace("/var/log/nginx/", f"{folder}/")
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in _TEMPORARY)
    return _MAIN_CONFIGURATION.format(folder=folder, recipe=recipe, temporary=temporary)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)  # nginx does not announce that it listens
        else:
            return
    raise AssertionError("nginx does not listen")
