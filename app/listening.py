"""The listening socket of the server."""

import socket

from app.errors import SetupError
from app.web.browser.loopback import is_loopback


def require_loopback(listener: socket.socket) -> None:
    address = listener.getsockname()[0]
    if not is_loopback(address):
        raise SetupError(
            f"The demo hands out tokens to everyone who can reach it, and {address} may be reached from other "
            "machines. Listen on the loopback (--host 127.0.0.1), or allow it for everyone: --demo-public."
        )


def listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2_048)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SetupError(
            f"Can't listen on {host} port {port}: {reason}. Choose another one with --host and --port."
        ) from error
