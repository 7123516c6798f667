"""Watchers that use the Python client, and record what they receive."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

from app.client import watch
from app.events.cursor import Seal
from tests.chaos.writers import CONSUMERS
from tests.harness.checker import mark_in
from tests.harness.operations import WATCH, WATCH_IMAGES
from tests.harness.watch_model import IMAGES, OFFERS, Viewer, WatchModel

PLAIN_WATCH = WATCH.replace("member { id status }\n  }\n  ... on MemberState", "}\n  ... on MemberState")
SILENCE_SECONDS = 4.0
FILTERS: tuple[dict[str, Any], ...] = ({}, {}, {"role": "PRODUCER"}, {"role": "CONSUMER"}, {"status": ["ACCEPTED"]})


class ReceivedItem(NamedTuple):
    at: float
    item: dict[str, Any]

    @property
    def bytes(self) -> str:
        return json.dumps(self.item)


@dataclass
class Watcher:
    """One watch across reconnects. It is its own cursor store: an item is processed once received."""

    url: str
    token: Callable[[], str]
    viewer: Viewer
    model: WatchModel
    initial: str
    query: str
    received: list[ReceivedItem] = field(default_factory=list[ReceivedItem])
    connections: int = 0
    trouble: BaseException | None = None
    _task: "asyncio.Task[None] | None" = None
    _restarting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})

    async def restart(self) -> None:
        """Abort the client at any point, and resume from the stored cursor with a new one."""
        async with self._restarting:  # two concurrent restarts would leave two clients with one cursor store
            await self.stop()
            self.start()

    def load(self) -> str | None:
        return self.received[-1].item["cursor"] if self.received else None

    def store(self, cursor: str) -> None:
        assert cursor == self.received[-1].item["cursor"], "the cursor beside the data is that of the item"

    def position(self, seal: Seal) -> int:
        """Its position in the log; an incomplete snapshot does not count."""
        mark = mark_in(seal, self.received[-1].item["cursor"]) if self.received else None
        return -1 if mark is None or mark.in_snapshot else mark.seq

    def _fresh_token(self) -> str:
        self.connections += 1
        return self.token()

    async def _watch(self) -> None:
        variables: Mapping[str, Any] = {"filter": self.viewer.filter, "initial": self.initial}
        items = watch(
            self.url,
            self.query,
            token=self._fresh_token,
            variables=variables,
            cursors=self,
            silence_seconds=SILENCE_SECONDS,
        )
        try:
            async with aclosing(items):
                async for data in items:
                    self.received.append(ReceivedItem(monotonic(), data[self.model.field]))
        except Exception as error:  # noqa: BLE001  # reported in the verdict, as no watch may end by itself
            self.trouble = error


def make_watchers(url: str, mint: Callable[..., str], owners: list[str], size: int) -> list[Watcher]:
    """Create watchers of every kind, in pairs."""
    return [_make_watcher(url, mint, owners, number // 2) for number in range(size)]


def _make_watcher(url: str, mint: Callable[..., str], owners: list[str], kind: int) -> Watcher:
    people = [*owners, *CONSUMERS]
    is_operator = kind % 12 == 11
    tenant_id = "999" if is_operator else people[kind % len(people)]
    of_images = kind % 3 == 2
    filter_ = FILTERS[kind % len(FILTERS)]
    if of_images:
        filter_ = {name: value for name, value in filter_.items() if name == "role"}
    query = WATCH_IMAGES if of_images else (PLAIN_WATCH if kind % 2 else WATCH)
    roles = ("operator",) if is_operator else ("admin",)
    return Watcher(
        url,
        lambda: mint(tenant_id, *roles),
        Viewer(tenant_id, is_operator, filter_),
        IMAGES if of_images else OFFERS,
        "SNAPSHOT" if kind % 4 < 2 else "CHANGES",
        query,
    )
