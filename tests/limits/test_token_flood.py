"""Forged tokens are not cached: the token cache only contains valid tokens."""

import pytest

from app.errors import Unauthenticated
from app.web.callers.tokens import CACHED_TOKENS, Tokens
from tests.harness.gateway import SECRET, settings_for
from tests.harness.issuer import claims_for, shared_secret

SETTINGS = settings_for("sqlite+aiosqlite:///none.db")


def test_invalid_tokens_are_not_cached() -> None:
    tokens = Tokens(SETTINGS)
    forger = shared_secret("x" * 32)
    for number in range(500):
        with pytest.raises(Unauthenticated):
            tokens.caller(forger.token(claims_for(str(number))))

    assert tokens._verified.cache_info().currsize == 0


def test_the_number_of_cached_tokens_is_limited() -> None:
    tokens = Tokens(SETTINGS)
    owner = shared_secret(SECRET)
    assert tokens.caller(owner.token(claims_for("1"))).tenant_id == "1"

    assert tokens._verified.cache_info()[2:] == (CACHED_TOKENS, 1)


def test_characters_ignored_by_a_decoder_do_not_make_a_second_cache_entry() -> None:
    tokens = Tokens(SETTINGS)
    token = shared_secret(SECRET).token(claims_for("1"))
    assert tokens.caller(token).tenant_id == "1"
    for junk in ("!!!!", "=", "\n\n\n\n", "****" * 1_000):
        with pytest.raises(Unauthenticated, match="three parts"):
            tokens.caller(token + junk)

    assert tokens._verified.cache_info().currsize == 1
