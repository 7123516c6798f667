"""Ask the server of this machine for its health: python -m app.health [--ready].

For the health checks of containers, which run every few seconds: it loads nothing of the gateway.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

PATIENCE_SECONDS = 3
OF_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def main(arguments: list[str]) -> int:
    """0 when the server answers, with `--ready` when it can serve; else 1, with the reason on standard error."""
    host = os.environ.get("IMAGE_GATEWAY_HOST") or "127.0.0.1"
    port = os.environ.get("IMAGE_GATEWAY_PORT") or "8000"
    if arguments not in ([], ["--ready"]):
        return _unhealthy("usage: python -m app.health [--ready]")
    path = "/readyz" if arguments else "/livez"
    try:
        return _ask(OF_THIS_MACHINE.get(host, host), int(port), path)
    except (OSError, HTTPException, ValueError) as error:
        return _unhealthy(f"http://{host}:{port}{path}: {error or type(error).__name__}")


def _ask(host: str, port: int, path: str) -> int:
    connection = HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return 0 if answer.status == 200 else _unhealthy(f"{path}: {answer.status} {answer.read(1_000).decode()}")
    finally:
        connection.close()


def _unhealthy(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
