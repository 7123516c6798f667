"""What a resolver is given: who is calling, one view of the store, and the way to act on it."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

import strawberry

from app.api.operation.loaders import Loaders
from app.api.operation.loop_share import Turns
from app.errors import Unauthenticated
from app.events.feed import Feed
from app.model import Caller
from app.settings import Settings
from app.sharing.ledger import Ledger, Upstream
from app.sharing.outcome import Outcome
from app.sharing.service import Limits
from app.store import log
from app.store.database import Store
from app.store.log import LogHead
from app.store.snapshot import Snapshot, ViewerQuery

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """The parts of the gateway that requests use, put together in `main`."""

    settings: Settings
    store: Store
    feed: Feed
    upstream: Upstream | None = None
    # Watch items by change and viewer: sealing its cursor is most of what an item costs.
    items: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any])

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.store, self.upstream)

    @cached_property
    def turns(self) -> Turns:
        return Turns(self.settings.watch_loop_share, lambda: self.feed.is_ending)

    @property
    def limits(self) -> Limits:
        return Limits.of(self.settings)


class Context:
    """One operation's surroundings. Whoever makes it closes it when the operation is over."""

    def __init__(self, services: Services, caller: Caller | None, request_id: str) -> None:
        self.services = services
        self.request_id = request_id
        # The cursor of the last event that a client of server-sent events got: it wins over the argument `after`.
        self.last_event_id: str | None = None
        self._caller = caller
        self._snapshot = Snapshot(services.store)
        self._loaders: Loaders | None = None

    @property
    def caller(self) -> Caller:
        """Who is calling; every root field asks for it, so nothing but introspection works without a token."""
        if self._caller is None:
            raise Unauthenticated("Send a bearer token: Authorization: Bearer <token>.")
        return self._caller

    @property
    def is_anonymous(self) -> bool:
        return self._caller is None

    @property
    def load(self) -> Loaders:
        """Reads for many parents at once, in this operation's view of the store."""
        if self._loaders is None:
            self._loaders = Loaders(self._snapshot, self.caller, self._cursor_at)
        return self._loaders

    def _cursor_at(self, seq: int) -> str:
        return self.services.feed.seal.close_between(seq, self.caller)

    async def read(self, query: ViewerQuery[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One query of the store, for the caller, in this operation's view."""
        return await self._snapshot.read(query, self.caller, *args, **kwargs)

    async def log_head(self) -> LogHead:
        """Where the log stands in this operation's view: the position for which everything else here is read."""
        return await self._snapshot.read(log.head)

    async def act(
        self,
        action: Callable[Concatenate[Ledger, Caller, P], Awaitable[Outcome]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Outcome:
        """Carry out one action of `sharing.service`; what is read from then on includes it."""
        outcome = await action(self.services.ledger, self.caller, *args, **kwargs)
        await self.renew()
        return outcome

    async def renew(self) -> None:
        """Give up the present view of the store; the next read takes a new one."""
        await self._snapshot.renew()

    async def close(self) -> None:
        await self._snapshot.close()


Info = strawberry.Info[Context, None]
