"""Manifests written by front-end tools, and Apollo Client with persisted queries."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.api.schema import build_schema
from app.documents.manifest import trusted_documents
from app.settings import Settings
from tests.harness.node import Run
from tests.harness.npm_sandbox import NpmSandbox
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, run_server

pytestmark = [pytest.mark.slow, pytest.mark.engine("postgres")]


def trusted(manifest: Path) -> dict[str, str]:
    return trusted_documents(Settings(documents_path=manifest), build_schema().documents)


@pytest.fixture
def workshop(tmp_path: Path, node: Run) -> NpmSandbox:
    return NpmSandbox.create(tmp_path, node)


def test_the_manifest_of_graphql_codegen_is_accepted_unchanged(workshop: NpmSandbox) -> None:
    own = "{ persistedDocuments: { hashAlgorithm: 'sha256' }, "
    workshop.plant("tests/node/codegen.config.mjs", "presetConfig: { ", f"presetConfig: {own}")
    generated = workshop.tool("graphql-codegen", "--config", "codegen.config.mjs")
    assert generated.returncode == 0, generated.stdout + generated.stderr

    texts = trusted(workshop.folder / "typed" / "generated" / "persisted-documents.json")

    assert len(texts) > 15
    assert any("subscription WatchOffers" in text for text in texts.values())


def test_the_manifest_of_relay_is_accepted_unchanged(workshop: NpmSandbox) -> None:
    config = workshop.folder / "relay.config.json"
    own = {"persistConfig": {"file": "./manifest.json", "algorithm": "SHA256"}}
    config.write_text(json.dumps(json.loads(config.read_text()) | own))
    (workshop.folder / "manifest.json").write_text("{}")
    compiled = workshop.tool("relay-compiler", "relay.config.json", "--noWatchman")
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr

    texts = trusted(workshop.folder / "manifest.json")

    assert any("query inboxQuery" in text for text in texts.values())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_apollo_persists_documents_automatically_and_then_sends_hashes(node: Run, tmp_path: Path, method: str) -> None:
    with run_server(tmp_path) as server:
        result = _apollo(node, server, method)

    assert result["tenants"] == [result["tenant"]] * 3
    sent = [(one["method"], one["hasQuery"]) for one in result["requests"]]
    assert sent == [(method, False), (method, True), (method, False), (method, False)]


def _apollo(node: Run, server: Server, method: str) -> dict[str, Any]:
    tenant = fresh_id()
    ended = node("persisted.mjs", server.url, server.token(tenant), method)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout) | {"tenant": tenant}
