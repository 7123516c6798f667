"""`image-gateway` with three planted bugs, each of which an attack must find."""

from typing import Any

from app.cli import app
from app.store import log
from app.web.server.websocket_protocol import StrictWebSocketProtocol
from app.web.wire import parameters

_append, _parse_parameters = log.append, parameters.parse_parameters


def _fail_with_500() -> None:
    """Responses fail without the key `extensions`."""

    def forgetful(data: Any) -> Any:
        if isinstance(data, dict) and data.get("extensions"):
            raise KeyError("extensions")
        return _parse_parameters(data)

    parameters.parse_parameters = forgetful


def _drop_sockets() -> None:
    """Sockets that violate the protocol are dropped without a close code."""
    StrictWebSocketProtocol.handle_parser_exception = lambda self: self.transport.abort()


def _lose_log_entry() -> None:
    """The end of a membership is reported to its owner, but not logged."""

    async def lossy(tx: Any, entries: Any) -> None:
        await _append(tx, [one for one in entries if one.kind != "REVOKED"])

    log.append = lossy


_fail_with_500()
_drop_sockets()
_lose_log_entry()

if __name__ == "__main__":
    app()
