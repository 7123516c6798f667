"""Nothing that an unverified token says reaches a log or an answer, and none of it is a fault of ours."""

import json
from collections.abc import Generator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.errors import Unauthenticated
from app.web.callers.faults import Fault
from app.web.callers.tokens import Tokens
from tests.harness.gateway import SECRET, settings_for
from tests.harness.issuer import claims_for, encode_segment, shared_secret, signing_key
from tests.harness.key_server import run_key_server
from tests.harness.operations import MUTATIONS
from tests.harness.scenario import fresh_id
from tests.harness.server import Server, first_error, run_server
from tests.harness.sockets import connect_socket, open_socket
from tests.http.test_sse import EVENTS, events

MARK = "mark-of-a-stranger"
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
VIEWER = "{ viewer { id } }"
HEADERS = ["alg", "kid", "typ", "crit", "b64", "cty", "jku"]
NAMES = st.sampled_from([*HEADERS, *claims_for(), "nbf", "jti"])
WORDS = st.sampled_from(
    ["HS256", "RS256", "none", "first", MARK, "\ud800", "\u202e", "\0", "\x1b[2J", "b64", "exp", "é" * 90]
)
NUMBERS = st.sampled_from([0, -1, 10**30, 1e308, float("nan"), float("inf"), True, None])
VALUES = st.recursive(
    WORDS | NUMBERS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | WORDS, inner, max_size=3)
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)
# Python's writer makes of these what no other would: numbers that JSON does not have, and lone surrogates.
RAW = st.sampled_from(
    [
        '{"alg": "HS256", "kid": "x", "kid": 7}',
        '{"alg":' + "[" * 2_000,
        '{"exp": ' + "9" * 4_400 + "}",
        "7",
        "[]",
        "\ud800",
    ]
).map(lambda text: text.encode(errors="surrogatepass"))
PARTS = (OBJECTS | VALUES | RAW).map(encode_segment)
SIGNED = {
    "an unknown extension": {"crit": [MARK], MARK: 1},
    "an extension that is no text": {"crit": ["\ud800"]},
    "an extension that is not there": {"crit": [f"{MARK}\u202e\n"]},
    "an extension without end": {"crit": [MARK * 200]},
    "another algorithm": {"alg": MARK},
    "a key without end": {"alg": "RS256", "kid": MARK * 30},
    "an unknown key that is no text": {"alg": "RS256", "kid": f"{MARK}\ud800\x1b]0;x\x07"},
    "another type": {"typ": MARK, "cty": MARK, "jku": MARK},
}


@pytest.fixture(scope="module")
def believer(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server that believes a shared secret and a key set, and writes down all it ever does."""
    folder, logged = tmp_path_factory.mktemp("server"), dict[str, Any](log_format="text", log_level="debug")
    with (
        run_key_server(signing_key()) as keys,
        run_server(folder, auth_jwks_url=keys.url, operation_log="all", **logged) as server,
    ):
        yield server


def unsigned(header: object, claims: object = None) -> str:
    payload = claims_for(MARK, sub=MARK) if claims is None else claims
    return ".".join(encode_segment(part) for part in (header, payload, MARK.encode()))


def message_over_sse(refused: httpx2.Response) -> str:
    """Clients of events come again after any status but 200, so what will never do is told in an event."""
    if refused.status_code == 401:
        return first_error(refused)["message"]
    return json.loads(next(events(refused))["data"])["errors"][0]["message"]


@pytest.mark.parametrize("name", SIGNED)
async def test_every_transport_refuses_it_with_a_sentence_of_the_list(believer: Server, name: str) -> None:
    token = unsigned({"alg": "HS256", "typ": "JWT", **SIGNED[name]})

    for refused in (believer.post(VIEWER, token), believer.get(VIEWER, token)):
        assert refused.status_code == 401
        assert first_error(refused)["message"] in set(Fault)
    assert message_over_sse(believer.post(VIEWER, token, EVENTS)) in set(Fault)
    async with open_socket(believer) as peer:
        await peer.init(token)
        assert await peer.close_code() in (4401, 4403)
        assert peer.connection.close_reason in set(Fault)

    for quoted in (MARK, "\u202e", "\x1b", "Traceback"):
        assert quoted not in believer.log


def test_the_name_of_a_user_stands_in_one_line_of_the_log_and_moves_no_cursor(believer: Server) -> None:
    name = f"\x1b[2J\u202e{MARK[::-1]}"
    token = shared_secret(SECRET).token(claims_for(fresh_id(), sub=name + "x" * 3_000))
    refused = believer.data(MUTATIONS["acceptOffer"], token, input={"imageId": str(uuid4())})["acceptOffer"]

    assert refused["errors"][0]["code"] == "NOT_FOUND"
    [line] = [line for line in believer.log.splitlines() if MARK[::-1] in line]
    assert len(line) < 1_000
    assert "\x1b" not in believer.log
    assert "\u202e" not in believer.log


@pytest.mark.parametrize(
    "value", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "7", "null", '["Bearer x"]', '"é"']
)
async def test_an_authorization_that_is_no_text_is_no_fault(believer: Server, value: str) -> None:
    async with open_socket(believer) as peer:
        await peer.send(f'{{"type": "connection_init", "payload": {{"Authorization": {value}}}}}')
        if value == "null":
            assert await peer.receive() == {"type": "connection_ack"}
        else:
            assert await peer.close_code() == 4401

    assert "Traceback" not in believer.log


async def test_the_reason_of_a_close_is_cut_by_bytes_and_between_characters(believer: Server) -> None:
    async with connect_socket(believer, believer.token(fresh_id())) as peer:
        for _ in range(2):
            await peer.subscribe("subscription { watchOffers { cursor } }", op="€" * 99)
        assert await peer.close_code() == 4409
        reason = peer.connection.close_reason or ""

    assert reason.startswith("Subscriber for €")
    assert 100 < len(reason.encode()) <= 123


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW, phases=[Phase.generate])
@given(header=PARTS, claims=PARTS, is_signed=st.booleans(), cut=st.none() | st.integers(0, 60))
def test_whatever_a_token_says_it_counts_or_is_refused_with_a_sentence_of_the_list(
    header: str, claims: str, is_signed: bool, cut: int | None
) -> None:
    said = f"{header}.{claims}"
    signature = encode_segment(shared_secret(SECRET).signature(said)) if is_signed else "AAAA"
    _require_refused_or_counted(f"{said}.{signature}"[:cut])


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW, phases=[Phase.generate])
@given(header=OBJECTS, claims=OBJECTS)
def test_well_signed_claims_of_any_form_are_no_fault(header: dict[str, Any], claims: dict[str, Any]) -> None:
    _require_refused_or_counted(shared_secret(SECRET).token(claims_for(**claims), **{**header, "alg": "HS256"}))


def _require_refused_or_counted(token: str) -> None:
    for tokens in TOKENS:
        try:
            subject = tokens.caller(token).subject or ""
        except Unauthenticated as raised:
            refusal, subject = str(raised), ""
            if not refusal.startswith("The token has no "):
                Fault(refusal)
        assert len(subject) <= 255


FURTHER = '[{"issuer": "https://id.example.org/{tenantid}/v2.0", "jwks_url": "https://id.example.org/keys"}]'
PATHS = {"auth_tenant_claim": "iss.*", "auth_roles_claim": "roles.*.alg", "auth_audience_claim": "aud.*"}
TOKENS = [Tokens(settings_for("sqlite://", **changes)) for changes in ({}, {"auth_issuers": FURTHER}, PATHS)]
