"""A JWKS server on this machine that can rotate its keys, stop, hang, and misbehave."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.harness.issuer import SigningKey

# Handles a request. The event is set when the server stops.
Behaviour = Callable[[BaseHTTPRequestHandler, threading.Event], None]


class KeyServer:
    """Publishes keys, records each fetch, and misbehaves on demand."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.fetches: list[str] = []
        self.behaviour: Behaviour | None = None
        self.stopping = threading.Event()
        self._members: list[dict[str, Any]] = []
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self._reserved_port: socket.socket | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._port}/keys" if self._tls else f"http://127.0.0.1:{self._port}/keys"

    def publish(self, *keys: SigningKey | dict[str, Any]) -> None:
        """Replace the published keys."""
        self._members = [key if isinstance(key, dict) else key.public_jwk() for key in keys]

    def stop(self) -> None:
        """Refuse connections until the next start."""
        if self._server is not None:
            self.stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            # Keep the port reserved, without listening on it.
            self._reserved_port = socket.socket()
            self._reserved_port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._reserved_port.bind(("127.0.0.1", self._port))

    def start(self) -> None:
        self.stopping.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._release_port()
        self._server.daemon_threads = True
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.stop()
        self._release_port()

    def _release_port(self) -> None:
        if self._reserved_port is not None:
            self._reserved_port.close()
            self._reserved_port = None

    def serve_keys(self, request: BaseHTTPRequestHandler, waking: threading.Event) -> None:
        reply(request, json.dumps({"keys": self._members}).encode())

    def hang(self, request: BaseHTTPRequestHandler, waking: threading.Event) -> None:
        """Accept the request and send no response until the server stops."""
        waking.wait()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.fetches.append(self.path)
                self.close_connection = True
                with suppress(ConnectionError):  # the client may disconnect
                    (server.behaviour or server.serve_keys)(self, server.stopping)

            def log_message(self, format: str, *args: Any) -> None:
                """Don't log requests."""

        return Handler


def reply(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def run_key_server(*keys: SigningKey | dict[str, Any], tls: ssl.SSLContext | None = None) -> Generator[KeyServer]:
    server = KeyServer(tls)
    server.publish(*keys)
    try:
        yield server
    finally:
        server.close()
