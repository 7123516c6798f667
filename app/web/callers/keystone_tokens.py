"""Keystone's tokens: each is confirmed by Keystone, remembered by its hash for a short time, and confirmed again."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from time import time
from typing import Any, Protocol

import structlog

from app.errors import KeyAwaited, TokenExpired, Unauthenticated, Unavailable
from app.model import Caller
from app.web.callers.faults import Fault
from app.web.callers.identity import Lease

MAX_TOKEN = 8_192
CACHED_TOKENS = 10_000
# So many tokens may be confirmed at once: whoever sends bad ones must not take all of Keystone's time.
MAX_CONFIRMATIONS = 32
# A token that is not good stays so; asking again would cost Keystone as much as a good one.
REFUSED_SECONDS = 5.0
APART_SECONDS = 0.001
AWAY = "Keystone can't say just now whether this token is good. Try again in a moment."
logger: Any = structlog.get_logger("keystone")


class Authority(Protocol):
    """Who knows which tokens are good."""

    async def caller(self, token: str) -> Caller:
        """Raises Unauthenticated, or Unavailable when it can't be told just now."""
        ...


@dataclass
class Known:
    """What is known of one token: its caller, or why it is refused, and for how long."""

    found: Caller | Unauthenticated
    until: float


@dataclass
class Watched:
    """The leases of one token, and the task that has it confirmed again and again while there are any."""

    task: asyncio.Task[None]
    leases: set[Lease] = field(default_factory=set[Lease])


class KeystoneTokens:
    """The identity provider in front of a cloud."""

    token_header: str | None = "x-auth-token"

    def __init__(self, authority: Authority, cache_seconds: float) -> None:
        self._authority = authority
        self._cache_seconds = cache_seconds
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._confirming: dict[bytes, asyncio.Task[Caller]] = {}
        self._watched: dict[bytes, Watched] = {}

    def caller(self, token: str) -> Caller:
        known = self._known.get(_hash(token))
        if known is None or known.until <= time():
            raise KeyAwaited(AWAY)
        if isinstance(known.found, Unauthenticated):
            raise type(known.found)(str(known.found))
        return known.found

    async def identify(self, token: str) -> Caller:
        try:
            return self.caller(token)
        except KeyAwaited:
            return await self._confirmed(token)

    def lease(self, token: str, end: Callable[[], object]) -> Lease:
        key = _hash(token)
        known = self._known.get(key)
        if known is None or isinstance(known.found, Unauthenticated):  # refused since it let the caller in
            return Lease(0, end, lambda _: None)
        if key not in self._watched:
            self._watched[key] = Watched(asyncio.create_task(self._confirm_again(token)))
        lease = Lease(known.found.expires_at.timestamp() - time(), end, lambda gone: self._forget(key, gone))
        self._watched[key].leases.add(lease)
        return lease

    @property
    def is_ready(self) -> bool:
        return True

    @property
    def key_set_age(self) -> float | None:
        return None

    async def start(self) -> None:
        """There is nothing to fetch beforehand."""

    async def stop(self) -> None:
        tasks = [watched.task for watched in self._watched.values()]
        for task in [*tasks, *self._confirming.values()]:
            task.cancel()
        await asyncio.gather(*tasks, *self._confirming.values(), return_exceptions=True)

    async def _confirmed(self, token: str) -> Caller:
        """Ask Keystone, once for all who wait for the same token."""
        key = _hash(token)
        if (task := self._confirming.get(key)) is None:
            if len(self._confirming) >= MAX_CONFIRMATIONS:
                raise Unavailable(AWAY)
            task = self._confirming[key] = asyncio.create_task(self._confirm(token))
            task.add_done_callback(lambda done: self._note_end(key, done))
        return await asyncio.shield(task)

    def _note_end(self, key: bytes, done: "asyncio.Task[Caller]") -> None:
        del self._confirming[key]
        if not done.cancelled():
            done.exception()  # whoever waits for it gets it; the rest need not be told that nobody did

    async def _confirm(self, token: str) -> Caller:
        try:
            caller = await self._authority.caller(token)
        except Unauthenticated as refusal:
            self._remember(_hash(token), Known(refusal, time() + REFUSED_SECONDS))
            raise
        expiry = caller.expires_at.timestamp()
        if expiry <= time():
            raise TokenExpired(Fault.EXPIRED)
        self._remember(_hash(token), Known(caller, min(expiry, time() + self._cache_seconds)))
        return caller

    def _remember(self, key: bytes, known: Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > CACHED_TOKENS:
            self._known.popitem(last=False)

    async def _confirm_again(self, token: str) -> None:
        """For as long as somebody is let in by the token. While Keystone is away, they stay until it expires."""
        while True:
            await asyncio.sleep(self._cache_seconds)
            try:
                await self._confirmed(token)
            except Unauthenticated:
                break
            except Unavailable:
                logger.warning("a token could not be confirmed again; its watches go on")
        watched = self._watched.pop(_hash(token))
        for place, lease in enumerate(list(watched.leases)):
            lease.cut(place * APART_SECONDS)

    def _forget(self, key: bytes, lease: Lease) -> None:
        watched = self._watched.get(key)
        if watched is None:
            return
        watched.leases.discard(lease)
        if not watched.leases:
            watched.task.cancel()
            del self._watched[key]


def _hash(token: str) -> bytes:
    """Raises Unauthenticated for what can't be a token."""
    if len(token) > MAX_TOKEN:
        raise Unauthenticated(Fault.TOO_LONG)
    if not token or not token.isascii() or not token.isprintable():
        raise Unauthenticated(Fault.UNREADABLE)
    return sha256(token.encode()).digest()
