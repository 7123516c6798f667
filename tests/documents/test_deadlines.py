"""Parsing and validation run on the event loop: no document occupies it for long, and their deadlines hold."""

from contextlib import nullcontext
from time import thread_time
from typing import Any

import pytest
from graphql import GraphQLError

from app.api.schema import build_schema
from app.documents import deadlines
from app.documents.documents import Documents
from app.settings import Settings
from tests.harness.databases import SqliteDatabases
from tests.harness.gateway import Gateway, settings_for
from tests.harness.inprocess import run_in_process
from tests.harness.raw_clients import CODES

_SCHEMA = build_schema()._schema
_FRAGMENTS = " ".join(f"fragment f{n} on Tenant {{ images {{ nodes {{ id name }} }} }}" for n in range(90))
_MANY = "viewer { images(first: 1) { nodes { id name } } } "
_NAMES = "id name status visibility createdAt updatedAt checksum osType tags "
# The slowest of some sixty kinds that were tried, each within the limits on tokens and repetitions.
WORST = {
    "fields of one name": "{ viewer { id } } fragment x on Query { " + _MANY * 99 + "}",
    "fields of a few names": "{ viewer { id } } fragment x on Image { " + _NAMES * 99 + "}",
    "fragments side by side": f"{{ viewer {{ {' '.join(f'...f{n}' for n in range(90))} }} }} {_FRAGMENTS}",
    "fields that conflict": "{ viewer { id } } fragment x on Image { "
    + " ".join(f"a{n}: {name}" for n in range(9) for name in _NAMES.split() * 10)
    + " }",
}


UNKNOWN_FIELDS = f"{{ viewer {{ {' '.join(f'ids{n}' for n in range(900))} }} }}"


def unlimited_settings(**changes: Any) -> Settings:
    """Settings without limits, so that the documents take as long as they need."""
    high: dict[str, Any] = {f"max_{what}": 10**6 for what in ("tokens", "repeats", "fields", "aliases", "root_fields")}
    settings_given = {**high, "max_cost": 10**9, "parse_seconds": 999, "validation_seconds": 999, **changes}
    return Settings.load(**settings_given)


def validated(settings: Settings, text: str) -> float:
    """The CPU time of validation, or the CPU time until it was aborted."""
    documents = build_schema(settings).documents
    documents.parse(document := documents.open(text))
    began = thread_time()
    errors = documents.errors(document, None, {})
    took = thread_time() - began
    assert ("TIMEOUT" in [(error.extensions or {}).get("code") for error in errors]) == (
        settings.validation_seconds < 999
    )
    return took


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORST)
def test_validation_that_needs_ten_times_its_deadline_is_aborted_early(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "MAX_COMPARISONS", 10**9)
    whole = min(validated(unlimited_settings(), WORST[kind]) for _ in range(2))

    given_up = min(validated(unlimited_settings(validation_seconds=whole / 10), WORST[kind]) for _ in range(3))

    assert given_up < whole / 2


@pytest.mark.slow
def test_validation_stops_after_a_number_of_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    documents = build_schema(unlimited_settings()).documents
    few = documents.errors(UNKNOWN_FIELDS, None, {})
    monkeypatch.setattr(deadlines, "MAX_ERRORS", 100)
    documents = build_schema(unlimited_settings()).documents
    many = documents.errors(UNKNOWN_FIELDS, None, {})

    # One more says that there are further errors.
    assert (len(few), len(many)) == (11, 101)


@pytest.mark.slow
def test_parsing_that_needs_ten_times_its_deadline_is_aborted_early() -> None:
    text = "{ " + "viewer { id } " * 5_000 + "}"

    def parsed(seconds: float) -> float:
        began = thread_time()
        with pytest.raises(GraphQLError, match="Parsing") if seconds < 999 else nullcontext():
            Documents(unlimited_settings(parse_seconds=seconds, max_document_characters=10**6)).parse(text)
        return thread_time() - began

    whole = min(parsed(999) for _ in range(2))
    assert min(parsed(whole / 10) for _ in range(3)) < whole / 2


@pytest.mark.parametrize("kind", WORST)
async def test_documents_with_too_many_field_comparisons_are_too_complex(gateway: Gateway, kind: str) -> None:
    answer = await gateway.tenant("1").execute(WORST[kind])

    assert answer.code == "QUERY_TOO_COMPLEX"
    assert "comparisons" in answer.errors[0]["message"]


async def test_ordinary_documents_need_few_comparisons(gateway: Gateway) -> None:
    """Thirty components of a page, each with its own fragment on the same list."""
    selection = "__typename id name status owner { id __typename }"
    parts = " ".join(f"fragment f{n} on Image {{ {selection} }}" for n in range(25))
    query = f"{{ images {{ nodes {{ {' '.join(f'...f{n}' for n in range(25))} }} }} }} {parts}"

    assert not (await gateway.tenant("1").execute(query)).errors


@pytest.mark.parametrize("filling", [" ", "\n", "#" + "x" * 99 + "\n", '"' + "x" * 99 + '" '])
async def test_a_long_text_of_few_tokens_is_refused_without_parsing(gateway: Gateway, filling: str) -> None:
    answer = await gateway.tenant("1").execute("{ viewer { id } }" + filling * 70_000)

    assert answer.code == "QUERY_TOO_COMPLEX"
    assert "65536" in answer.errors[0]["message"]


@pytest.mark.parametrize("deadline", ["parse_seconds", "validation_seconds"])
@pytest.mark.parametrize("way", CODES)
async def test_every_transport_reports_a_missed_deadline(
    sqlite_databases: SqliteDatabases, deadline: str, way: str
) -> None:
    settings = settings_for(sqlite_databases.fresh(), **{deadline: 1e-9})
    async with run_in_process(settings) as server:
        query = "{ viewer { " + "id " * 60 + "} }"

        assert await CODES[way](server, query) == "TIMEOUT"
