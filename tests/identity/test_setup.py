"""Setting identity up: what makes no sense is refused in a sentence, and a shared secret is replaced without a fuss."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from app.errors import SetupError
from app.model import Role
from app.settings import PREFIX, Settings
from app.web.callers.identity import SharedSecret
from app.web.callers.tokens import Tokens
from tests.harness.commands import error_of, start_serve
from tests.harness.gateway import SECRET, settings_for
from tests.harness.issuer import claims_for, shared_secret, signing_key
from tests.harness.key_server import run_key_server
from tests.harness.server import Server, bearer, run_server

OLD, NEW = SECRET, "the secret of today, which is long enough"
KEYS = "https://id.example.org/keys"
PEM = signing_key(algorithm="EdDSA").public_bytes().decode()
VIEWER = "{ viewer { id } }"
NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "nothing at all": ({}, "no secret to check tokens with.*AUTH_JWKS_URL"),
    "an old secret without a new one": ({"auth_previous_secret": OLD, "auth_jwks_url": KEYS}, "without .*AUTH_SECRET"),
    "an old secret that is the new one": ({"auth_secret": OLD, "auth_previous_secret": OLD}, "the same"),
    "a public key for a secret": ({"auth_secret": PEM}, "AUTH_SECRET must be random bytes"),
    "a public key for an old secret": ({"auth_secret": OLD, "auth_previous_secret": PEM}, "must be random bytes"),
    "algorithms without a key set": ({"auth_secret": OLD, "auth_jwks_algorithms": "ES256"}, "ALGORITHMS has no effect"),
    "a time without a key set": ({"auth_secret": OLD, "auth_jwks_refresh_seconds": 9}, "SECONDS has no effect"),
    "keys that die between two looks": ({"auth_jwks_url": KEYS, "auth_jwks_keep": 60}, "KEEP is shorter than"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_settings_that_contradict_each_other_are_refused(name: str) -> None:
    given, reason = NONSENSE[name]

    with pytest.raises(SetupError, match=reason) as refused:
        Tokens(Settings(**given))
    assert "\n" not in str(refused.value)
    assert OLD not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth_previous_secret", "x" * 31),
        ("auth_jwks_url", "http://id.example.org/keys"),
        ("auth_jwks_url", "http://10.0.0.1/keys"),
        ("auth_jwks_url", "http://localhost.example.org/keys"),
        ("auth_jwks_url", "http://127.0.0.1.example.org/keys"),
        ("auth_jwks_url", "http://127.0.0.1@example.org/keys"),
        ("auth_jwks_url", "https://me:secret@id.example.org/keys"),
        ("auth_jwks_url", "https://id.example.org/keys#first"),
        ("auth_jwks_url", "https://id.example.org:port/keys"),
        ("auth_jwks_url", "https://id.example.org/\nkeys"),
        ("auth_jwks_url", "https:///keys"),
        ("auth_jwks_url", "https://[::1/keys"),
        ("auth_jwks_url", "file:///etc/keys.json"),
        ("auth_jwks_url", "ftp://127.0.0.1/keys"),
        ("auth_jwks_url", "data:application/json,{}"),
        ("auth_jwks_url", "keys.json"),
        ("auth_jwks_url", ""),
        ("auth_jwks_algorithms", "HS256"),
        ("auth_jwks_algorithms", "RS256 none"),
        ("auth_jwks_algorithms", "rs256"),
        ("auth_jwks_algorithms", " "),
        ("auth_jwks_refresh_seconds", "0"),
        ("auth_jwks_keep", "0"),
    ],
)
def test_a_value_that_is_not_safe_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)

    with pytest.raises(SetupError, match=f"{PREFIX}{name.upper()}: "):
        Settings.load()


@pytest.mark.parametrize(
    "url", [KEYS, "http://localhost:8080/keys", "http://127.0.0.1/keys", "http://127.8.8.8/", "http://[::1]:1/keys?a=b"]
)
def test_keys_may_come_over_tls_or_from_this_machine(url: str) -> None:
    assert Tokens(settings_for("sqlite://", auth_secret=None, auth_jwks_url=url)).is_ready is False


@pytest.mark.slow
def test_the_command_line_says_who_signs_where_there_is_no_secret(tmp_path: Path) -> None:
    sentence = error_of(tmp_path, "token", "--tenant", "1", auth_secret=None, auth_jwks_url=KEYS)

    assert "identity provider" in sentence
    assert "IMAGE_GATEWAY_AUTH_SECRET" in sentence


def test_tokens_are_signed_with_the_new_secret() -> None:
    secret = SharedSecret(settings_for("sqlite://", auth_secret=NEW, auth_previous_secret=OLD))
    token = secret.mint("1", frozenset({Role.ADMIN}), timedelta(hours=1), "tests")

    assert jwt.decode(token, NEW, algorithms=["HS256"], audience="image-gateway")["tenant_id"] == "1"


def _answers(server: Server, *secrets: str) -> list[int]:
    """What becomes of a token that each of these secrets has signed."""
    return [server.post(VIEWER, shared_secret(secret).token()).status_code for secret in secrets]


@pytest.mark.slow
def test_a_shared_secret_is_replaced_and_nobody_is_logged_out(tmp_path: Path) -> None:
    carried = shared_secret(OLD).token()
    with run_server(tmp_path, auth_secret=OLD) as server:
        assert _answers(server, OLD, NEW) == [200, 401]
        assert server.terminate() == 0
    with run_server(tmp_path, server.port, auth_secret=NEW, auth_previous_secret=OLD) as server:
        assert server.post(VIEWER, carried).status_code == 200
        assert _answers(server, OLD, NEW) == [200, 200]
        assert server.post(VIEWER, shared_secret("another secret, which is long enough").token()).status_code == 401
        assert server.terminate() == 0
    with run_server(tmp_path, server.port, auth_secret=NEW) as server:
        assert server.post(VIEWER, carried).status_code == 401
        assert _answers(server, OLD, NEW) == [401, 200]


@pytest.mark.slow
def test_the_demo_signs_its_own_tokens_also_beside_a_key_set(tmp_path: Path) -> None:
    key = signing_key()
    with (
        run_key_server(key) as keys,
        start_serve(tmp_path, "--demo", "--port", "0", auth_secret=None, auth_jwks_url=keys.url) as demo,
    ):
        given = {**demo.tokens, "77": key.token(claims_for("77"))}
        assert len(given) == 4
        for tenant_id, token in given.items():
            answer = httpx2.post(demo.url, json={"query": VIEWER}, headers=bearer(token), trust_env=False)
            assert answer.json() == {"data": {"viewer": {"id": tenant_id}}}
