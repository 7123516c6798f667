"""Keystone tokens: validated by Keystone, cached by their hash for a short time, and then validated again."""

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
# Concurrent validations, so that a client with invalid tokens can't overload Keystone.
MAX_VALIDATIONS = 32
# An invalid token stays invalid, and validating it again would cost Keystone as much as a valid one.
REFUSAL_CACHE_SECONDS = 5.0
# Between the ends of two leases on a revoked token, so that their callers do not all reconnect at once.
INTERVAL_SECONDS = 0.001
AWAY = "Keystone can't validate this token at the moment. Try again in a few seconds."
logger: Any = structlog.get_logger("keystone")


class TokenValidator(Protocol):
    """Validates tokens."""

    async def caller(self, token: str) -> Caller:
        """The caller of a token. Raises Unauthenticated, or Unavailable if the authority can't be reached."""
        ...


@dataclass
class CacheEntry:
    """The result of validating a token, its caller or its refusal, and when the entry expires."""

    result: Caller | Unauthenticated
    until: float


@dataclass
class LeasedToken:
    """The leases on one token, and the task that validates it at intervals while there are any."""

    task: asyncio.Task[None]
    leases: set[Lease] = field(default_factory=set[Lease])


class KeystoneTokens:
    """The identity provider in front of a cloud."""

    token_header: str | None = "x-auth-token"

    def __init__(self, authority: TokenValidator, cache_seconds: float) -> None:
        self._authority = authority
        self._cache_seconds = cache_seconds
        self._cache: OrderedDict[bytes, CacheEntry] = OrderedDict()
        self._validations: dict[bytes, asyncio.Task[Caller]] = {}
        self._leased: dict[bytes, LeasedToken] = {}

    def caller(self, token: str) -> Caller:
        entry = self._cache.get(_hash(token))
        if entry is None or entry.until <= time():
            raise KeyAwaited(AWAY)
        if isinstance(entry.result, Unauthenticated):
            raise type(entry.result)(str(entry.result))
        return entry.result

    async def identify(self, token: str) -> Caller:
        try:
            return self.caller(token)
        except KeyAwaited:
            return await self._validate_once(token)

    def lease(self, token: str, end: Callable[[], object]) -> Lease:
        key = _hash(token)
        entry = self._cache.get(key)
        if entry is None or isinstance(entry.result, Unauthenticated):  # revoked after the caller was identified
            return Lease(0, end, lambda _: None)
        if key not in self._leased:
            self._leased[key] = LeasedToken(asyncio.create_task(self._revalidate(token)))
        lease = Lease(entry.result.expires_at.timestamp() - time(), end, lambda ended: self._forget(key, ended))
        self._leased[key].leases.add(lease)
        return lease

    @property
    def is_ready(self) -> bool:
        return True

    @property
    def key_set_age(self) -> float | None:
        return None

    async def start(self) -> None:
        """Do nothing: there are no keys to fetch."""

    async def stop(self) -> None:
        tasks = [leased.task for leased in self._leased.values()]
        for task in [*tasks, *self._validations.values()]:
            task.cancel()
        await asyncio.gather(*tasks, *self._validations.values(), return_exceptions=True)

    async def _validate_once(self, token: str) -> Caller:
        """Validate a token, once for all requests that wait for it."""
        key = _hash(token)
        if (task := self._validations.get(key)) is None:
            if len(self._validations) >= MAX_VALIDATIONS:
                raise Unavailable(AWAY)
            task = self._validations[key] = asyncio.create_task(self._validate(token))
            task.add_done_callback(lambda done: self._note_end(key, done))
        return await asyncio.shield(task)

    def _note_end(self, key: bytes, done: "asyncio.Task[Caller]") -> None:
        del self._validations[key]
        if not done.cancelled():
            done.exception()  # marks it as retrieved: asyncio need not log it if no request waits any more

    async def _validate(self, token: str) -> Caller:
        try:
            caller = await self._authority.caller(token)
        except Unauthenticated as refusal:
            self._remember(_hash(token), CacheEntry(refusal, time() + REFUSAL_CACHE_SECONDS))
            raise
        expiry = caller.expires_at.timestamp()
        if expiry <= time():
            raise TokenExpired(Fault.EXPIRED)
        self._remember(_hash(token), CacheEntry(caller, min(expiry, time() + self._cache_seconds)))
        return caller

    def _remember(self, key: bytes, entry: CacheEntry) -> None:
        self._cache[key] = entry
        self._cache.move_to_end(key)
        while len(self._cache) > CACHED_TOKENS:
            self._cache.popitem(last=False)

    async def _revalidate(self, token: str) -> None:
        """Validate a token at intervals while it has leases. While Keystone is away, they last until it expires."""
        while True:
            await asyncio.sleep(self._cache_seconds)
            try:
                await self._validate_once(token)
            except Unauthenticated:
                break
            except Unavailable:
                logger.warning("a token could not be validated again; its watches go on")
        leased = self._leased.pop(_hash(token))
        for index, lease in enumerate(list(leased.leases)):
            lease.cut(index * INTERVAL_SECONDS)

    def _forget(self, key: bytes, lease: Lease) -> None:
        leased = self._leased.get(key)
        if leased is None:
            return
        leased.leases.discard(lease)
        if not leased.leases:
            leased.task.cancel()
            del self._leased[key]


def _hash(token: str) -> bytes:
    """Hash a token. Raises Unauthenticated if it can't be one."""
    if len(token) > MAX_TOKEN:
        raise Unauthenticated(Fault.TOO_LONG)
    if not token or not token.isascii() or not token.isprintable():
        raise Unauthenticated(Fault.UNREADABLE)
    return sha256(token.encode()).digest()
