"""`image-gateway` with three bugs planted: the verdict of an attack must find each of them."""

from typing import Any

from app.cli import app
from app.store import log
from app.web.server.websocket_protocol import StrictWebSocketProtocol
from app.web.wire import parameters

_append, _parse_parameters = log.append, parameters.parse_parameters


def _a_status_of_500() -> None:
    """The key `extensions` was forgotten."""

    def forgetful(data: Any) -> Any:
        if isinstance(data, dict) and data.get("extensions"):
            raise KeyError("extensions")
        return _parse_parameters(data)

    parameters.parse_parameters = forgetful


def _a_socket_dropped() -> None:
    """Whoever breaks the protocol is cut off without a word."""
    StrictWebSocketProtocol.handle_parser_exception = lambda self: self.transport.abort()


def _a_row_lost() -> None:
    """The end of a membership is told to its owner, and not to the log."""

    async def lossy(tx: Any, entries: Any) -> None:
        await _append(tx, [one for one in entries if one.kind != "REVOKED"])

    log.append = lossy


_a_status_of_500()
_a_socket_dropped()
_a_row_lost()

if __name__ == "__main__":
    app()
