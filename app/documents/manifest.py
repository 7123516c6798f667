"""Reads the manifest of trusted documents, which front ends are built with, by the SHA-256 of each text.

Supported are the manifests of graphql-codegen's client preset and Relay's compiler, which map hashes to texts, and
Apollo's, which lists operations.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import orjson

from app.documents.cached_function import EVERYBODY
from app.documents.documents import Documents
from app.errors import SetupError
from app.settings import Settings

PREFIX = "sha256:"
_ADVICE = {
    32: "That looks like MD5: set `algorithm` to `SHA256` in the `persistConfig` of relay-compiler.",
    40: "That looks like SHA-1: set `hashAlgorithm` to `sha256` in the `persistedDocuments` of graphql-codegen.",
}


def trusted_documents(settings: Settings, documents: Documents) -> dict[str, str]:
    """The texts by their hashes, all valid; none without a manifest. Raises SetupError."""
    if settings.documents_path is None:
        if settings.documents_mode == "only":
            raise SetupError(
                "IMAGE_GATEWAY_DOCUMENTS_MODE is `only`, and there is no manifest: set IMAGE_GATEWAY_DOCUMENTS_PATH."
            )
        return {}
    texts: dict[str, str] = {}
    for file in _files(settings.documents_path):
        for id, text in _entries(file, _parse(file)):
            texts[_hash(file, id, text)] = text
            if fault := documents.first_error(documents.open(text, EVERYBODY)):
                raise SetupError(f"Document {id} of the manifest {file} can't be executed: {fault}")
    if not texts:
        raise SetupError(f"There is no document in the manifest {settings.documents_path}.")
    return texts


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise SetupError(f"There is no manifest of documents at {path}.")
    return sorted(path.glob("*.json")) if path.is_dir() else [path]


def _parse(file: Path) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except OSError as error:
        raise SetupError(f"The manifest {file} can't be read: {error.strerror}.") from error
    except orjson.JSONDecodeError as error:
        raise SetupError(f"The manifest {file} is not JSON: {error}.") from error


def _entries(file: Path, manifest: Any) -> Iterator[tuple[str, str]]:
    """ID and text of each document."""
    found = manifest
    if isinstance(manifest, dict) and "operations" in manifest:
        found = _apollo_entries(cast(Any, manifest))
    if not isinstance(found, dict):
        raise SetupError(f"The manifest {file} must be an object that maps hashes to documents, or Apollo's manifest.")
    for id, text in cast(dict[str, Any], found).items():
        if not isinstance(text, str):
            raise SetupError(f"The entry {id} of the manifest {file} is not the text of a document.")
        yield id, text


def _apollo_entries(manifest: dict[str, Any]) -> Any:
    if (manifest.get("format"), manifest.get("version")) != ("apollo-persisted-query-manifest", 1):
        return None
    try:
        return {operation["id"]: operation["body"] for operation in manifest["operations"]}
    except (TypeError, KeyError):
        return None


def _hash(file: Path, id: str, text: str) -> str:
    """The hash of a text. Raises SetupError if its ID, which is what clients send, is a different one."""
    found = sha256(text.encode()).hexdigest()
    if id.removeprefix(PREFIX) != found:
        advice = _ADVICE.get(len(id), "Rebuild the manifest, and make sure that nothing changes its texts.")
        raise SetupError(f"The ID {id} in the manifest {file} is not the SHA-256 of its document. {advice}")
    return found
