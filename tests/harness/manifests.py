"""Writes manifests of trusted documents in the formats of front-end tools."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any


def hash_of(document: str) -> str:
    return sha256(document.encode()).hexdigest()


def write_manifest(file: Path, *documents: str) -> Path:
    """Write a manifest in the format of graphql-codegen and Relay: documents by hash."""
    return _write_json(file, {hash_of(document): document for document in documents})


def write_apollo_manifest(file: Path, *documents: str, **changes: Any) -> Path:
    operations = [{"id": hash_of(body), "name": "X", "type": "query", "body": body} for body in documents]
    manifest = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}
    return _write_json(file, {**manifest, **changes})


def apollo_extensions(document: str) -> dict[str, Any]:
    """The request extensions with which Apollo refers to a document."""
    return {"persistedQuery": {"version": 1, "sha256Hash": hash_of(document)}}


def _write_json(file: Path, manifest: object) -> Path:
    file.write_text(json.dumps(manifest))
    return file
