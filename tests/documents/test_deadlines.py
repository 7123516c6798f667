"""Parsing and validating are work of the event loop: no document takes much of it, and the deadline really holds."""

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
# Those that took longest of some sixty kinds that were tried, each within the limits on tokens and repetitions.
WORST = {
    "fields of one name": "{ viewer { id } } fragment x on Query { " + _MANY * 99 + "}",
    "fields of a few names": "{ viewer { id } } fragment x on Image { " + _NAMES * 99 + "}",
    "fragments side by side": f"{{ viewer {{ {' '.join(f'...f{n}' for n in range(90))} }} }} {_FRAGMENTS}",
    "fields that conflict": "{ viewer { id } } fragment x on Image { "
    + " ".join(f"a{n}: {name}" for n in range(9) for name in _NAMES.split() * 10)
    + " }",
}


UNKNOWN_FIELDS = f"{{ viewer {{ {' '.join(f'ids{n}' for n in range(900))} }} }}"


def lifted(**changes: Any) -> Settings:
    """Settings under which the documents take their time."""
    high: dict[str, Any] = {f"max_{what}": 10**6 for what in ("tokens", "repeats", "fields", "aliases", "root_fields")}
    given = {**high, "max_cost": 10**9, "parse_seconds": 999, "validation_seconds": 999, **changes}
    return Settings.load(**given)


def validated(settings: Settings, text: str) -> float:
    """The processor time that it took, or that passed until it took too long."""
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
def test_a_document_that_needs_ten_times_the_validation_deadline_is_given_up_long_before(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "MAX_COMPARISONS", 10**9)
    whole = min(validated(lifted(), WORST[kind]) for _ in range(2))

    given_up = min(validated(lifted(validation_seconds=whole / 10), WORST[kind]) for _ in range(3))

    assert given_up < whole / 2


@pytest.mark.slow
def test_a_document_is_not_told_all_that_is_wrong_with_it_since_each_error_costs_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    documents = build_schema(lifted()).documents
    few = documents.errors(UNKNOWN_FIELDS, None, {})
    monkeypatch.setattr(deadlines, "MAX_ERRORS", 100)
    documents = build_schema(lifted()).documents
    many = documents.errors(UNKNOWN_FIELDS, None, {})

    # One more says that there are others.
    assert (len(few), len(many)) == (11, 101)


@pytest.mark.slow
def test_a_document_that_needs_ten_times_the_parse_deadline_is_given_up_long_before() -> None:
    text = "{ " + "viewer { id } " * 5_000 + "}"

    def parsed(seconds: float) -> float:
        began = thread_time()
        with pytest.raises(GraphQLError, match="Parsing") if seconds < 999 else nullcontext():
            Documents(lifted(parse_seconds=seconds, max_document_characters=10**6)).parse(text)
        return thread_time() - began

    whole = min(parsed(999) for _ in range(2))
    assert min(parsed(whole / 10) for _ in range(3)) < whole / 2


@pytest.mark.parametrize("kind", WORST)
async def test_documents_that_compare_fields_without_end_are_too_complex(gateway: Gateway, kind: str) -> None:
    answer = await gateway.tenant("1").execute(WORST[kind])

    assert answer.code == "QUERY_TOO_COMPLEX"
    assert "comparisons" in answer.errors[0]["message"]


async def test_what_people_write_needs_few_comparisons(gateway: Gateway) -> None:
    """Thirty components of a page, each with a fragment of its own, all for the same list."""
    wanted = "__typename id name status owner { id __typename }"
    parts = " ".join(f"fragment f{n} on Image {{ {wanted} }}" for n in range(25))
    query = f"{{ images {{ nodes {{ {' '.join(f'...f{n}' for n in range(25))} }} }} }} {parts}"

    assert not (await gateway.tenant("1").execute(query)).errors


@pytest.mark.parametrize("filling", [" ", "\n", "#" + "x" * 99 + "\n", '"' + "x" * 99 + '" '])
async def test_a_text_that_is_long_and_says_little_is_refused_unread(gateway: Gateway, filling: str) -> None:
    answer = await gateway.tenant("1").execute("{ viewer { id } }" + filling * 70_000)

    assert answer.code == "QUERY_TOO_COMPLEX"
    assert "65536" in answer.errors[0]["message"]


@pytest.mark.parametrize("deadline", ["parse_seconds", "validation_seconds"])
@pytest.mark.parametrize("way", CODES)
async def test_a_deadline_that_is_over_is_told_on_every_transport(
    sqlite_databases: SqliteDatabases, deadline: str, way: str
) -> None:
    settings = settings_for(sqlite_databases.fresh(), **{deadline: 1e-9})
    async with run_in_process(settings) as server:
        query = "{ viewer { " + "id " * 60 + "} }"

        assert await CODES[way](server, query) == "TIMEOUT"
