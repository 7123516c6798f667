"""Why a token is refused: what operators read in the log, and what `image-gateway doctor --token` says."""

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.admin.identity import check_identity
from app.admin.token_checks import check_token
from app.errors import Unauthenticated
from app.settings import Settings
from app.web.callers.tokens import Tokens
from tests.harness.commands import run
from tests.harness.gateway import SECRET, settings_for
from tests.harness.issuer import SigningKey, claims_for, shared_secret, signing_key
from tests.harness.key_server import run_key_server

KEY, STRANGER = shared_secret(SECRET), shared_secret("the secret of a stranger, long enough")
FURTHER = '[{"issuer": "https://id.example.org", "jwks_url": "https://id.example.org/keys"}]'
# The claims that differ, the check that fails, and the expected and the found value.
DIFFERENCES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "issuer": ({"iss": "image-gateway/"}, "issuer", "image-gateway", "image-gateway/"),
    "audience": ({"aud": ["a", "b"]}, "audience", "image-gateway in aud", '["a", "b"]'),
    "no audience": ({"without": "aud"}, "audience", "image-gateway in aud", "nothing"),
    "tenant": ({"tenant_id": "acme"}, "tenant", "one that matches [0-9]{1,20} in tenant_id", "acme"),
    "control characters": ({"tenant_id": "\x1b[2J\u202e"}, "tenant", "[0-9]{1,20}", '"\\u001b[2J\\u202e"'),
    "roles": ({"roles": ["king"]}, "roles", "one of observer, creator, admin, operator in roles", '["king"]'),
}


def settings_with(**changes: Any) -> Settings:
    return settings_for("sqlite://", **changes)


@pytest.mark.parametrize("name", DIFFERENCES)
async def test_the_log_and_the_doctor_say_both_values(name: str) -> None:
    changes, check, expected, found = DIFFERENCES[name]
    token, settings = KEY.token(claims_for(**changes)), settings_with()

    with capture_logs() as logged, pytest.raises(Unauthenticated) as refused:
        Tokens(settings).caller(token)
    (line,) = logged
    assert (line["event"], line["check"], line["reason"]) == ("a token was refused", check, str(refused.value))
    assert (expected in line["expected"], line["found"]) == (True, found)
    assert found not in str(refused.value)

    checks = {one.name: one async for one in check_token(settings, token)}
    assert {name for name, one in checks.items() if one.result == "fail"} == {check, "caller"}
    assert expected in checks[check].found
    assert checks[check].found.endswith(f"found {found}")


async def test_the_doctor_names_the_setting_to_compare_and_times_only_where_they_matter() -> None:
    settings, expired = settings_with(), KEY.token(claims_for(exp=1))
    advice = [
        {one.name: one.advice async for one in check_token(settings, token)}["signature and times"]
        for token in (STRANGER.token(claims_for()), signing_key("ES256").token(claims_for()), expired)
    ]

    assert [text is not None and text.split()[0] for text in advice] == ["Compare", "Compare", "It"]
    assert "AUTH_JWKS_ALGORITHMS" in str(advice[1])


async def test_the_doctor_says_that_a_secret_turns_discovery_off() -> None:
    secret_alone = settings_with(auth_issuer="https://id.example.org")
    checks = {one.name: one async for one in check_identity(secret_alone)}
    assert "unset IMAGE_GATEWAY_AUTH_SECRET" in str(checks["issuer"].advice)

    assert "issuer" not in {one.name async for one in check_identity(settings_with())}


async def test_a_token_that_counts_is_explained_by_its_caller() -> None:
    checks = {one.name: one async for one in check_token(settings_with(), KEY.token(claims_for("1001")))}

    assert {one.result for one in checks.values()} == {"ok"}
    assert checks["caller"].found == "tenant 1001 as admin, subject me"


@pytest.mark.parametrize(
    ("key", "changes", "sentence"),
    [
        (STRANGER, {}, "its signature is wrong"),
        (KEY, {"exp": 1}, "has expired"),
        (KEY, {"nbf": 4_000_000_000}, "not valid yet"),
        (KEY, {"exp": "soon"}, "not a JSON Web Token"),
        (signing_key(), {}, "its algorithm is not among"),
    ],
)
async def test_a_wrong_signature_or_time_is_told_beside_the_claims(
    key: SigningKey, changes: dict[str, Any], sentence: str
) -> None:
    token = key.token(claims_for(**changes, roles=[]))
    checks = {one.name: one async for one in check_token(settings_with(), token)}

    failed = [name for name, one in checks.items() if one.result == "fail"]
    assert failed == ["signature and times", "roles", "caller"]
    assert sentence in checks["signature and times"].found


async def test_an_issuer_that_nobody_trusts_is_named_to_the_operator_only() -> None:
    settings, token = settings_with(auth_issuers=FURTHER), KEY.token(claims_for(iss="https://id.example.org/"))

    with capture_logs() as logged, pytest.raises(Unauthenticated, match="from another issuer"):
        Tokens(settings).caller(token)
    (line,) = logged
    assert line["expected"] == "image-gateway or https://id.example.org"
    assert line["found"] == "another one, not verified"

    *_, check = [one async for one in check_token(settings, token)]
    assert check.found == "expected image-gateway or https://id.example.org, found https://id.example.org/"


async def test_a_flood_of_refused_tokens_is_a_line_of_the_log() -> None:
    tokens = Tokens(settings_with())
    with capture_logs() as logged:
        for number in range(50):
            with pytest.raises(Unauthenticated):
                tokens.caller(KEY.token(claims_for(iss=str(number))))

    assert 1 <= len(logged) < 5


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d", "é.b.c", "e30.e30.", "e30.W10.e30", "x" * 9_000, "a.b.c\n"])
async def test_what_is_no_token_is_said_to_be_none(token: str) -> None:
    (check,) = [one async for one in check_token(settings_with(auth_issuers=FURTHER), token)]

    assert (check.name, check.result) == ("form", "fail")


@pytest.mark.slow
def test_the_command_reads_a_file_or_standard_input_and_prints_no_token(tmp_path: Path) -> None:
    key = signing_key("first", "RS256")
    with run_key_server(key) as keys:
        given = {"auth_secret": None, "auth_jwks_url": keys.url}
        (tmp_path / "token").write_text(f"Bearer {key.token(claims_for('1001'))}\n")
        (tmp_path / "broken").write_bytes(b"\xff\xfe")
        good = run(tmp_path, "doctor", "--token", "token", "--json", **given)
        broken = run(tmp_path, "doctor", "--token", "broken", **given)
        keys.stop()
        away = run(tmp_path, "doctor", "--token", "token", **given)

    assert (good.returncode, good.stderr) == (0, "")
    assert [one["name"] for one in json.loads(good.stdout)] == [
        *("header", "keys", "signature and times", "issuer", "audience", "tenant", "roles", "caller")
    ]
    assert (broken.returncode, "FAIL  form: " in broken.stdout) == (1, True)
    assert (away.returncode, "FAIL  keys: " in away.stdout, "ok    tenant: 1001" in away.stdout) == (1, True, True)
    assert not [part for part in key.token(claims_for("1001")).split(".") if part in good.stdout + away.stdout]
