"""The form of what a WebSocket client sends."""

from typing import Any, cast

MAX_ID = 255
_NEEDS_ID = {"subscribe", "complete"}
_KNOWN = {"connection_init", "ping", "pong"} | _NEEDS_ID


def fault_of(message: Any) -> str | None:
    """What is wrong with the form of a client's message; None when it is well formed."""
    if not isinstance(message, dict):
        return "A message must be an object"
    fields = cast(dict[str, Any], message)
    kind, payload = fields.get("type"), fields.get("payload")
    if not isinstance(kind, str) or kind not in _KNOWN:
        return "Unknown message type"
    if kind in _NEEDS_ID and not (isinstance(fields.get("id"), str) and 1 <= len(fields["id"]) <= MAX_ID):
        return f"A message of this type needs an id, a string of 1 to {MAX_ID} characters"
    if payload is not None and not isinstance(payload, dict):
        return "The payload must be an object"
    return _subscribe_fault(cast(dict[str, Any], payload or {})) if kind == "subscribe" else None


def _subscribe_fault(payload: dict[str, Any]) -> str | None:
    if not isinstance(payload.get("query"), (str, type(None))):
        return "The query must be a string"
    if not isinstance(payload.get("extensions"), (dict, type(None))):
        return "The extensions must be an object"
    if payload.get("query") is None and not (payload.get("documentId") or payload.get("extensions")):
        return "The query must be a string, or be named by a documentId"
    if not isinstance(payload.get("variables"), (dict, type(None))):
        return "The variables must be an object"
    if not isinstance(payload.get("operationName"), (str, type(None))):
        return "The operationName must be a string"
    return None
