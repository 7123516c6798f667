"""Sends operations that schemathesis generates from the schema: well formed, with unexpected values."""

import json
from typing import Any, cast

import httpx2
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.graphql import nodes

from tests.attack.tally import Tally
from tests.harness.raw_connection import Response
from tests.harness.server import Server, bearer

NOT_OUR_SCHEMA = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "Cursor": st.text(max_size=40).map(nodes.String),
    "DateTime": st.datetimes().map(lambda moment: nodes.String(moment.isoformat())) | st.text().map(nodes.String),
    "ByteCount": st.integers(0, 2**53 - 1).map(nodes.Int),
}
UNHURRIED = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def attack(server: Server, tally: Tally, examples: int, known_ids: list[str]) -> None:
    """Send `examples` operations on each root field, as a tenant that owns images and as a stranger."""
    for name, strategy in SCALARS.items():
        schemathesis.graphql.scalar(name, strategy)
    schema = schemathesis.graphql.from_dict(_introspect(server))
    tokens = [server.token("1"), server.token("2", "operator"), None]
    with httpx2.Client(base_url=server.base, timeout=30) as client:
        for found in schema.get_all_operations():
            for mode in GenerationMode:
                _run_cases(cast(Any, found).ok().as_strategy(mode), mode, tokens, known_ids, client, tally, examples)


def _introspect(server: Server) -> dict[str, Any]:
    from graphql import get_introspection_query

    return server.post(get_introspection_query(input_value_deprecation=False)).json()["data"]


def _run_cases(
    strategy: st.SearchStrategy[Any],
    mode: GenerationMode,
    tokens: list[str | None],
    known_ids: list[str],
    client: httpx2.Client,
    tally: Tally,
    examples: int,
) -> None:
    @settings(UNHURRIED, max_examples=examples)
    @given(case=strategy, token=st.sampled_from(tokens), known=st.sampled_from(known_ids), extensions=st.booleans())
    def one(case: Any, token: str | None, known: str, extensions: bool) -> None:
        # Most operations end early on an unknown ID, so some IDs are replaced by existing ones.
        document = str(case.body).replace('""', json.dumps(known))
        request = {"query": document, **({"extensions": {"trace": True}} if extensions else {})}
        answer = client.post("/graphql", json=request, headers=bearer(token))
        response = Response(answer.status_code, dict(answer.headers), answer.content)
        tally.count_cases("documents of schemathesis")
        tally.check_response(response, request)
        if mode is GenerationMode.POSITIVE and not extensions:
            _check_not_misunderstood(answer.json(), document, tally)

    one()


def _check_not_misunderstood(answer: dict[str, Any], document: str, tally: Tally) -> None:
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    if codes & NOT_OUR_SCHEMA:
        tally.add_violation(f"a document of the schema is refused: {answer}", document)
