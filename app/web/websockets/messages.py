"""The form of the messages that a WebSocket client sends."""

from typing import Any, cast

MAX_ID_CHARACTERS = 255
_TYPES_WITH_ID = {"subscribe", "complete"}
_TYPES = {"connection_init", "ping", "pong"} | _TYPES_WITH_ID


def fault_of(message: Any) -> str | None:
    """The fault in the form of a client's message, or None."""
    if not isinstance(message, dict):
        return "A message must be an object"
    fields = cast(dict[str, Any], message)
    type_, payload = fields.get("type"), fields.get("payload")
    if not isinstance(type_, str) or type_ not in _TYPES:
        return "Unknown message type"
    if type_ in _TYPES_WITH_ID and not _is_id(fields.get("id")):
        return f"A message of this type needs an id, a string of 1 to {MAX_ID_CHARACTERS} characters"
    if payload is not None and not isinstance(payload, dict):
        return "The payload must be an object"
    return _subscribe_fault(cast(dict[str, Any], payload or {})) if type_ == "subscribe" else None


def _is_id(id: Any) -> bool:
    return isinstance(id, str) and 1 <= len(id) <= MAX_ID_CHARACTERS


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
