"""Errors: faults are logged and masked, refusals are reported to the client, and neither logs any values."""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.scenario import fresh_id
from tests.harness.server import Server, bearer, error_code, first_error

SIZED = 'input: {name: "a", origin: IMPORT, sourceUrl: "https://images.example.org", sizeBytes: $secret}'

# A query of the log is executed without a plan, which validates each value.
SPOILT = "query($id: ID!) { image(id: $id) { status } offerEvents { pageInfo { endCursor } } }"


def spoil(database: Path, image_id: str, status: str) -> None:
    """Write an invalid value into the database, bypassing the server."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        changed = connection.execute("UPDATE image SET status = ? WHERE id = ?", (status, image_id))
        assert changed.rowcount == 1


def test_a_fault_is_logged_with_its_location_and_masked(sqlite_server: Server) -> None:
    token = sqlite_server.token(fresh_id())
    image_id = sqlite_server.register(token)
    spoil(sqlite_server.database, image_id, "MELTED")

    answer = sqlite_server.post(SPOILT, token, id=image_id)
    error = first_error(answer)

    assert (answer.status_code, error["extensions"]["code"]) == (200, "INTERNAL_SERVER_ERROR")
    assert "MELTED" not in answer.text
    assert "Traceback" not in answer.text
    logged = sqlite_server.log_lines(answer.headers["x-request-id"])
    assert '"level": "error"' in logged
    assert "Traceback" in logged
    assert "LookupError" in logged
    assert "MELTED" not in logged


def test_a_fault_of_one_request_does_not_affect_others(sqlite_server: Server) -> None:
    token = sqlite_server.token(fresh_id())
    image_id = sqlite_server.register(token)
    spoil(sqlite_server.database, image_id, "MELTED")
    assert error_code(sqlite_server.post(SPOILT, token, id=image_id)) == "INTERNAL_SERVER_ERROR"
    assert sqlite_server.data("{ viewer { id } }", token)
    assert sqlite_server.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("query($secret: Int!) { images(first: $secret) { totalCount } }", "BAD_USER_INPUT"),
        (f"mutation($secret: ByteCount) {{ registerImage({SIZED}) {{ image {{ id }} }} }}", "BAD_USER_INPUT"),
        ("query($secret: ID!) { image(id: $secret) { nope } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_a_refusal_is_logged_at_info_without_the_values(server: Server, document: str, code: str) -> None:
    secret, token = uuid4().hex, server.token(fresh_id())
    answer = server.post(document, token, secret=secret)
    assert error_code(answer) == code
    logged = server.log_lines(answer.headers["x-request-id"])
    assert '"level": "info"' in logged
    assert f'"codes": ["{code}"]' in logged
    assert secret not in server.log
    assert token not in server.log


def test_a_refused_token_is_logged_at_info_without_the_token(server: Server) -> None:
    for token in (server.token(fresh_id(), ttl=-1), f"x{server.token(fresh_id())}", uuid4().hex):
        refused = server.post("{ __typename }", token)
        assert refused.status_code == 401
        assert '"level": "info"' in server.log_lines(refused.headers["x-request-id"])
        assert token not in server.log


def test_ordinary_requests_log_no_token_and_no_value(server: Server) -> None:
    token, name = server.token(fresh_id()), uuid4().hex
    server.register(token, name=name)
    parameters = {
        "query": "query($name: String) { __type(name: $name) { name } }",
        "variables": f'{{"name": "{name}"}}',
    }
    server.client.get("/graphql", params=parameters, headers=bearer(token))
    assert name not in server.log
    assert token not in server.log


def test_each_response_has_its_own_request_id(server: Server) -> None:
    ids = {server.post("{ __typename }").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
