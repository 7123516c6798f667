"""Runs `image-gateway serve` in a process of its own, as operators do."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import IO, Any

import httpx2

from app.errors import ErrorCode
from app.model import Role
from app.settings import PREFIX
from app.web.callers.identity import SharedSecret
from tests.harness import operations
from tests.harness.forks import Process, launch
from tests.harness.gateway import IMAGE, SECRET, settings_for

START_SECONDS = 60
STOP_SECONDS = 60


class Server:
    """A running server: its addresses, its log, and tokens that it accepts."""

    def __init__(self, process: Process, url: str, folder: Path) -> None:
        self.process = process
        self.url = url
        self.base = url.removesuffix("/graphql")
        self.ws_url = url.replace("http", "ws", 1)
        self.port = int(self.base.rpartition(":")[2])
        self.database = folder / "gateway.db"
        self._log = folder / "server.log"
        self._secret = SharedSecret(settings_for(f"sqlite+aiosqlite:///{self.database}"))
        self.client = self._new_client()

    def renew_client(self) -> None:
        """Replace the client by one without open connections."""
        self.client.close()
        self.client = self._new_client()

    def _new_client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.base, timeout=STOP_SECONDS)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def log_lines(self, request_id: str) -> str:
        """The log lines of one request."""
        return "\n".join(line for line in self.log.splitlines() if request_id in line)

    def token(self, tenant_id: str, *roles: str, ttl: float = 3600) -> str:
        parsed = frozenset(Role(role) for role in roles or ("admin",))
        return self._secret.mint(tenant_id, parsed, timedelta(seconds=ttl), "tests")

    def command_line_token(self, tenant_id: str) -> str:
        """A token from `image-gateway token`, run in the environment of the server."""
        command = [sys.executable, "-m", "app", "token", "--tenant", tenant_id]
        printed = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
        return printed.stdout.strip()

    def post(self, query: str, token: str | None = None, accept: str = "*/*", **variables: Any) -> httpx2.Response:
        body = {"query": query, "variables": variables}
        return self.client.post("/graphql", json=body, headers={"accept": accept, **bearer(token)})

    def get(self, query: str, token: str | None = None, accept: str = "*/*") -> httpx2.Response:
        return self.client.get("/graphql", params={"query": query}, headers={"accept": accept, **bearer(token)})

    def data(self, query: str, token: str, **variables: Any) -> Any:
        """The data of an operation that has no errors."""
        response = self.post(query, token, **variables).json()
        assert "errors" not in response, response
        return response["data"]

    def do(self, mutation: str, token: str, **input: Any) -> Any:
        """The payload of one of `operations.MUTATIONS`, which must succeed."""
        payload = self.data(operations.MUTATIONS[mutation], token, input=input)[mutation]
        assert payload["errors"] == []
        return payload

    def register(self, token: str, **changes: Any) -> str:
        """Register an image of the token's tenant and return its ID."""
        return self.do("registerImage", token, **{**IMAGE, **changes})["image"]["id"]

    def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


def first_error(response: httpx2.Response) -> dict[str, Any]:
    """The first error of a response, after checking that each error has a known code and the request ID."""
    errors: list[dict[str, Any]] = response.json()["errors"]
    for error in errors:
        assert error["message"]
        assert error["extensions"]["code"] in set(ErrorCode)
        assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    return errors[0]


def error_code(response: httpx2.Response) -> str:
    return first_error(response)["extensions"]["code"]


@contextmanager
def run_server(
    folder: Path, port: int = 0, database_url: str | None = None, module: str = "app", **settings: Any
) -> Generator[Server]:
    """Run a server on the SQLite file of the folder, or on another database, until the block ends."""
    defaults: dict[str, Any] = {
        "log_format": "json",
        "auth_leeway_seconds": 0,
        "bookmark_seconds": 60,
        "poll_seconds": 0.2,
    }
    environment = _environment(**{**defaults, **settings})
    database = database_url or f"sqlite+aiosqlite:///{folder / 'gateway.db'}"
    arguments = ["serve", "--port", str(port), "--database", database]
    with (
        (folder / "server.log").open("a") as log,
        launch(arguments, Path.cwd(), environment, log, module) as process,
    ):
        assert process.stdout is not None
        server = Server(process, _announced_url(process, process.stdout, folder), folder)
        try:
            yield server
        finally:
            server.client.close()


def _environment(**settings: Any) -> dict[str, str]:
    """The environment of this process with only these settings."""
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    configured = {"auth_secret": SECRET, **settings}
    return environment | {
        f"{PREFIX}{name.upper()}": str(value) for name, value in configured.items() if value is not None
    }


def _announced_url(process: Process, stdout: IO[str], folder: Path) -> str:
    """The URL that the server prints once it listens."""
    timer = Timer(START_SECONDS, process.kill)
    timer.start()
    try:
        for line in stdout:
            if found := re.search(r"http://\S+/graphql", line):
                return found.group()
    finally:
        timer.cancel()
    raise AssertionError(f"The server did not start:\n{(folder / 'server.log').read_text()}")
