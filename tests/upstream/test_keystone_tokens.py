"""How long a token of Keystone's is believed, and what happens while Keystone is away."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import KeyAwaited, Problem, Unauthenticated, Unavailable
from app.model import Caller, Role
from app.web.callers.keystone_tokens import KeystoneTokens
from tests.harness.waiting import wait_until


class Keystone:
    """Knows one token; `problem` is what it answers instead of its caller."""

    def __init__(self) -> None:
        self.calls = 0
        self.problem: Problem | None = None
        self.seconds = 3_600.0
        self.gate = asyncio.Event()
        self.gate.set()

    async def caller(self, token: str) -> Caller:
        self.calls += 1
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        return Caller("1", frozenset({Role.ADMIN}), datetime.now(UTC) + timedelta(seconds=self.seconds), None, token)


@pytest.fixture
def keystone() -> Keystone:
    return Keystone()


@pytest.fixture
async def tokens(keystone: Keystone) -> AsyncGenerator[KeystoneTokens]:
    tokens = KeystoneTokens(keystone, 60)
    yield tokens
    await tokens.stop()


async def test_a_token_is_confirmed_once_for_all_who_send_it_at_the_same_time(
    keystone: Keystone, tokens: KeystoneTokens
) -> None:
    keystone.gate.clear()
    several = [asyncio.create_task(tokens.identify("good")) for _ in range(10)]
    await wait_until(lambda: keystone.calls > 0)
    keystone.gate.set()

    assert {caller.tenant_id for caller in await asyncio.gather(*several)} == {"1"}
    assert tokens.caller("good").tenant_id == "1"
    assert keystone.calls == 1


async def test_a_token_that_nobody_has_confirmed_has_to_be_waited_for(tokens: KeystoneTokens) -> None:
    with pytest.raises(KeyAwaited):
        tokens.caller("new")


async def test_while_keystone_is_away_known_tokens_go_on_and_others_are_unavailable(
    keystone: Keystone, tokens: KeystoneTokens
) -> None:
    await tokens.identify("known")
    keystone.problem = Unavailable("away")

    assert (await tokens.identify("known")).tenant_id == "1"
    with pytest.raises(Unavailable):
        await tokens.identify("unknown")


async def test_a_token_is_confirmed_again_when_its_time_in_the_cache_is_up(keystone: Keystone) -> None:
    tokens = KeystoneTokens(keystone, 0)
    await tokens.identify("token")
    keystone.problem = Unauthenticated("revoked")

    with pytest.raises(Unauthenticated):
        await tokens.identify("token")
    await tokens.stop()


async def test_a_token_never_counts_beyond_its_expiry(keystone: Keystone, tokens: KeystoneTokens) -> None:
    keystone.seconds = -1

    with pytest.raises(Unauthenticated):
        await tokens.identify("expired")


async def test_a_token_that_was_refused_is_not_asked_about_again_at_once(
    keystone: Keystone, tokens: KeystoneTokens
) -> None:
    keystone.problem = Unauthenticated("revoked")
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="revoked"):
            await tokens.identify("bad")

    assert keystone.calls == 1


@pytest.mark.parametrize("token", ["x" * 8_193, "a\nb", "ü", ""])
async def test_what_can_be_no_token_is_not_sent_to_keystone(
    keystone: Keystone, tokens: KeystoneTokens, token: str
) -> None:
    with pytest.raises(Unauthenticated):
        await tokens.identify(token)

    assert keystone.calls == 0


async def test_a_watch_ends_soon_after_its_token_was_revoked_and_not_while_keystone_is_away(keystone: Keystone) -> None:
    tokens, ended = KeystoneTokens(keystone, 0.01), asyncio.Event()
    await tokens.identify("token")
    tokens.lease("token", ended.set)

    keystone.problem = Unavailable("away")
    calls = keystone.calls
    await wait_until(lambda: keystone.calls > calls + 1)
    assert not ended.is_set()

    keystone.problem = Unauthenticated("revoked")
    await wait_until(ended.is_set)
    await tokens.stop()


async def test_nobody_is_asked_about_a_token_whose_last_watch_has_ended(keystone: Keystone) -> None:
    tokens = KeystoneTokens(keystone, 0.01)
    await tokens.identify("token")
    tokens.lease("token", lambda: None).cancel()
    await asyncio.sleep(0)

    assert not tokens._leased
    await tokens.stop()


async def test_strange_tokens_do_not_take_all_of_keystones_time(keystone: Keystone, tokens: KeystoneTokens) -> None:
    keystone.gate.clear()
    flood = [asyncio.create_task(tokens.identify(f"token{number}")) for number in range(50)]
    await wait_until(lambda: keystone.calls >= 32 and sum(task.done() for task in flood) == 18)
    keystone.gate.set()
    found = await asyncio.gather(*flood, return_exceptions=True)

    assert sum(isinstance(one, Unavailable) for one in found) == 18
    assert keystone.calls == 32
