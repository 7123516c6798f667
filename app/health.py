"""Check the health of the server on this machine: python -m app.health [--ready].

For the health checks of containers. These run every few seconds, so nothing else of the gateway is imported.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

PATIENCE_SECONDS = 3
LOOPBACK_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main(arguments: list[str]) -> int:
    """Return 0 if the server is alive, or with `--ready` ready; else print the reason and return 1."""
    host = os.environ.get("IMAGE_GATEWAY_HOST") or "127.0.0.1"
    port = os.environ.get("IMAGE_GATEWAY_PORT") or "8000"
    if arguments not in ([], ["--ready"]):
        return _unhealthy("usage: python -m app.health [--ready]")
    path = "/readyz" if arguments else "/livez"
    try:
        return _probe(LOOPBACK_ADDRESSES.get(host, host), int(port), path)
    except (OSError, HTTPException, ValueError) as error:
        return _unhealthy(f"http://{host}:{port}{path}: {error or type(error).__name__}")


def _probe(host: str, port: int, path: str) -> int:
    connection = HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return 0 if response.status == 200 else _unhealthy(f"{path}: {response.status} {response.read(1_000).decode()}")
    finally:
        connection.close()


def _unhealthy(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
