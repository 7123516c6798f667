"""The context of a resolver: the caller, one view of the store, and the actions of the service."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

import strawberry

from app.api.operation.loaders import Loaders
from app.api.operation.loop_share import LoopShares
from app.errors import Unauthenticated
from app.events.feed import Feed
from app.model import Caller
from app.settings import Settings
from app.sharing.ledger import Ledger, UpstreamActions
from app.sharing.outcome import Outcome
from app.sharing.service import SharingLimits
from app.store import log
from app.store.database import Store
from app.store.log import LogHead
from app.store.snapshot import Snapshot, ViewerQuery

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """The services that operations use, assembled in `main`."""

    settings: Settings
    store: Store
    feed: Feed
    upstream: UpstreamActions | None = None
    # Watch items by change and viewer, because encrypting the cursor is most of the cost of an item.
    items: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any])

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.store, self.upstream)

    @cached_property
    def loop_shares(self) -> LoopShares:
        return LoopShares(self.settings.watch_loop_share, lambda: self.feed.is_ending)

    @property
    def limits(self) -> SharingLimits:
        return SharingLimits.of(self.settings)


class Context:
    """The context of one operation, which its creator closes."""

    def __init__(self, services: Services, caller: Caller | None, request_id: str) -> None:
        self.services = services
        self.request_id = request_id
        # The Last-Event-ID of a client of server-sent events, which takes precedence over the argument `after`.
        self.last_event_id: str | None = None
        self._caller = caller
        self._snapshot = Snapshot(services.store)
        self._loaders: Loaders | None = None

    @property
    def caller(self) -> Caller:
        """The authenticated caller. Every root field requires it, so only introspection works without a token."""
        if self._caller is None:
            raise Unauthenticated("Send a bearer token: Authorization: Bearer <token>.")
        return self._caller

    @property
    def is_anonymous(self) -> bool:
        return self._caller is None

    @property
    def load(self) -> Loaders:
        """The data loaders, which read in this operation's view of the store."""
        if self._loaders is None:
            self._loaders = Loaders(self._snapshot, self.caller, self._cursor_at)
        return self._loaders

    def _cursor_at(self, seq: int) -> str:
        return self.services.feed.seal.close_between(seq, self.caller)

    async def read(self, query: ViewerQuery[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one query for the caller, in this operation's view of the store."""
        return await self._snapshot.read(query, self.caller, *args, **kwargs)

    async def log_head(self) -> LogHead:
        """The head of the log in this operation's view of the store."""
        return await self._snapshot.read(log.head)

    async def act(
        self,
        action: Callable[Concatenate[Ledger, Caller, P], Awaitable[Outcome]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Outcome:
        """Run one action of `sharing.service`; subsequent reads include its effects."""
        outcome = await action(self.services.ledger, self.caller, *args, **kwargs)
        await self.renew()
        return outcome

    async def renew(self) -> None:
        """Release the view of the store; the next read opens a new one."""
        await self._snapshot.renew()

    async def close(self) -> None:
        await self._snapshot.close()


Info = strawberry.Info[Context, None]
