"""What the server offers besides the API: GraphiQL, its files, the schema, and the settings that disable them."""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from app.api.schema import build_schema
from app.web.browser.assets import BUILT, STATIC
from tests.harness.server import Server, error_code, run_server

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server without the IDE and without introspection."""
    with run_server(tmp_path_factory.mktemp("closed"), ide=False, introspection=False) as server:
        yield server


def read(server: Server, path: str, accept: str = "*/*", **headers: str) -> Any:
    return server.client.get(path, headers={"accept": accept, **headers})


def test_the_built_files_are_those_of_the_manifest() -> None:
    manifest: dict[str, str] = json.loads((BUILT / "manifest.json").read_text())
    found = {
        str(path.relative_to(BUILT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in BUILT.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }

    assert found == manifest


def test_the_built_files_come_from_the_packages_that_the_source_requires() -> None:
    source = ROOT / "app" / "web" / "graphiql"
    required: dict[str, str] = json.loads((source / "package.json").read_text())["dependencies"]
    licences = (BUILT / "LICENCES.txt").read_text()

    assert [name for name, version in required.items() if f"{name} {version} (" not in licences] == []


@pytest.mark.slow
def test_the_wheel_contains_what_is_served_and_not_its_sources(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    served = {f"app/web/static/{path.relative_to(STATIC)}" for path in STATIC.rglob("*") if path.is_file()}
    assert served <= names
    unserved = ("app/web/graphiql/", "app/web/clients/", "tests/")
    assert [name for name in names if name.startswith(unserved) or "node_modules" in name] == []
    assert [name for name in names if name.startswith("app/") and name.endswith(".md")] == []


def test_the_lock_file_names_no_download_address() -> None:
    locked = json.loads((ROOT / "app" / "web" / "graphiql" / "package-lock.json").read_text())["packages"]

    assert len(locked) > 50
    assert [name for name, package in locked.items() if "resolved" in package] == []


@pytest.mark.parametrize("path", ["/", "/graphql"])
def test_a_browser_gets_graphiql(sqlite_server: Server, path: str) -> None:
    page = read(sqlite_server, path, BROWSER)

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "/static/assets/graphiql-" in page.text
    assert 'data-mode="token"' in page.text


def test_the_page_may_not_load_anything_foreign(sqlite_server: Server) -> None:
    policy = dict(
        part.strip().split(" ", 1)
        for part in read(sqlite_server, "/", BROWSER).headers["content-security-policy"].split(";")
    )

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert {source for sources in policy.values() for source in sources.split()} == {
        "'none'", "'self'", "'unsafe-inline'", "data:", "blob:"
    }  # fmt: skip
    assert "'unsafe-inline'" not in policy["script-src"]


def test_a_program_gets_json_and_no_page(sqlite_server: Server) -> None:
    assert error_code(read(sqlite_server, "/graphql")) == "BAD_REQUEST"
    assert "/graphql" in read(sqlite_server, "/").text
    assert read(sqlite_server, "/").headers["content-type"].startswith("text/plain")


def test_a_link_with_a_query_opens_its_response_in_a_browser_too(sqlite_server: Server) -> None:
    answer = read(sqlite_server, "/graphql?query={__typename}", BROWSER)

    assert answer.json() == {"data": {"__typename": "Query"}}


def test_caches_distinguish_the_page_from_json_responses(sqlite_server: Server) -> None:
    assert "Accept" in read(sqlite_server, "/graphql", BROWSER).headers["vary"]
    assert "Accept" in sqlite_server.get("{ __typename }").headers["vary"]


def test_files_named_by_their_content_are_cached_forever(sqlite_server: Server) -> None:
    name = next((BUILT / "assets").glob("graphiql-*.js")).name

    first = read(sqlite_server, f"/static/assets/{name}")
    again = read(sqlite_server, f"/static/assets/{name}", **{"if-none-match": first.headers["etag"]})

    assert "immutable" in first.headers["cache-control"]
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/static/assets/../index.html", "/static/assets/%2e%2e/manifest.json", "/static/x"])
def test_only_the_built_files_are_served_below_static(sqlite_server: Server, path: str) -> None:
    assert read(sqlite_server, path).status_code == 404


def test_the_schema_file_is_served(sqlite_server: Server) -> None:
    assert read(sqlite_server, "/schema.graphql").text == build_schema().as_str()


def test_the_index_lists_only_what_is_served(sqlite_server: Server, closed: Server) -> None:
    open_signs, closed_signs = (read(server, "/").text for server in (sqlite_server, closed))

    assert "GraphiQL" in open_signs
    assert "/schema.graphql" in open_signs
    assert "GraphiQL" not in closed_signs
    assert "/schema.graphql" not in closed_signs
    assert "/graphql" in closed_signs


def test_without_the_ide_a_browser_is_an_ordinary_client(closed: Server) -> None:
    assert error_code(read(closed, "/graphql", BROWSER)) == "BAD_REQUEST"
    assert read(closed, "/", BROWSER).headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("query", ["{ __schema { queryType { name } } }", '{ __type(name: "Image") { name } }'])
def test_without_introspection_the_schema_is_not_served(closed: Server, query: str) -> None:
    assert error_code(closed.post(query)) == "GRAPHQL_VALIDATION_FAILED"
    assert read(closed, "/schema.graphql").status_code == 404


def test_without_introspection_no_corrections_are_suggested(closed: Server, sqlite_server: Server) -> None:
    misspelt = "{ viewr { id } }"

    assert "viewer" in sqlite_server.post(misspelt).text
    assert "viewer" not in closed.post(misspelt).text


def test_without_introspection_queries_and_type_names_still_work(closed: Server) -> None:
    data = closed.data("{ __typename viewer { __typename id } }", closed.token("7"))

    assert data == {"__typename": "Query", "viewer": {"__typename": "Tenant", "id": "7"}}
