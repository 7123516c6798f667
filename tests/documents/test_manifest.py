"""The manifest of trusted documents: accepted formats, and the errors for the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.api.schema import build_schema
from app.documents.manifest import trusted_documents
from app.errors import SetupError
from app.settings import Settings
from tests.harness import commands, manifests
from tests.harness.manifests import hash_of

VIEWER, IMAGES = "query Viewer { viewer { id } }", "query Images { images { totalCount } }"


def read(path: Path | None, **changes: Any) -> dict[str, str]:
    settings = Settings(documents_path=path, **changes)
    return trusted_documents(settings, build_schema(settings).documents)


def refusal(path: Path, **settings: Any) -> str:
    with pytest.raises(SetupError) as refused:
        read(path, **settings)
    return str(refused.value)


def test_hashes_are_read_with_and_without_a_prefix(tmp_path: Path) -> None:
    file = tmp_path / "persisted-documents.json"
    file.write_text(json.dumps({hash_of(VIEWER): VIEWER, f"sha256:{hash_of(IMAGES)}": IMAGES}))

    assert read(file) == {hash_of(VIEWER): VIEWER, hash_of(IMAGES): IMAGES}


def test_the_manifest_of_apollo_is_read(tmp_path: Path) -> None:
    assert read(manifests.write_apollo_manifest(tmp_path / "m.json", VIEWER)) == {hash_of(VIEWER): VIEWER}


def test_all_manifests_of_a_folder_are_read_so_that_old_pages_keep_working(tmp_path: Path) -> None:
    manifests.write_manifest(tmp_path / "console-1.json", VIEWER)
    manifests.write_apollo_manifest(tmp_path / "console-2.json", VIEWER, IMAGES)
    (tmp_path / "README.txt").write_text("no manifest")

    assert set(read(tmp_path).values()) == {VIEWER, IMAGES}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an object that maps hashes to documents"),
        ('{"abc": 1}', "The entry abc of the manifest"),
        ("{}", "There is no document in the manifest"),
        ('{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}', "or Apollo's manifest"),
        ('{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": 1}]}', "Apollo's manifest"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.json").write_text(text)

    assert said in refusal(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("id", "advice"),
    [
        ("d41d8cd98f00b204e9800998ecf8427e", "persistConfig"),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "persistedDocuments"),
        (hash_of(IMAGES), "nothing changes its texts"),
        (hash_of(VIEWER).upper(), "Rebuild the manifest"),
    ],
)
def test_an_id_that_is_not_the_hash_of_its_text_is_refused_with_advice(tmp_path: Path, id: str, advice: str) -> None:
    (tmp_path / "m.json").write_text(json.dumps({id: VIEWER}))

    assert advice in refusal(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("query {", "Syntax Error"),
        ("{ viewer { name } }", "Cannot query field 'name' on type 'Tenant'"),
        ("fragment F on Tenant { id }", "It has no operation"),
        ("query A { viewer { id } } query B { nope }", "Cannot query field 'nope'"),
        ("{ viewer { images { nodes { owner { id } } } } }", "The depth of the operation is 5"),
    ],
)
def test_a_document_that_could_never_be_executed_is_refused(tmp_path: Path, document: str, said: str) -> None:
    message = refusal(manifests.write_manifest(tmp_path / "m.json", VIEWER, document), max_depth=4)

    assert said in message
    assert hash_of(document) in message


@pytest.mark.slow
def test_the_server_does_not_start_with_an_invalid_or_missing_manifest(tmp_path: Path) -> None:
    wrong = manifests.write_manifest(tmp_path / "m.json", "{ nope }")

    for files, said in [
        ({"documents_path": wrong}, "Cannot query field 'nope'"),
        ({"documents_path": tmp_path / "not-there.json"}, "There is no manifest of documents at"),
        ({"documents_mode": "only"}, "set IMAGE_GATEWAY_DOCUMENTS_PATH"),
    ]:
        assert said in commands.error_of(tmp_path, "serve", "--port", "0", **files)
    assert not (tmp_path / "gateway.db").exists()


@pytest.mark.slow
def test_the_doctor_checks_the_manifest(tmp_path: Path) -> None:
    good, wrong = (
        manifests.write_manifest(tmp_path / "a.json", VIEWER),
        manifests.write_manifest(tmp_path / "b.json", "{ nope }"),
    )

    assert (
        "ok    documents: 1 trusted ones fit the schema" in commands.run(tmp_path, "doctor", documents_path=good).stdout
    )
    report = commands.run(tmp_path, "doctor", documents_path=wrong)
    assert "FAIL  documents: " in report.stdout
    assert "Cannot query field 'nope'" in report.stdout
    assert report.returncode == 1
