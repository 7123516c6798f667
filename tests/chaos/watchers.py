"""Those who watch, each with the Python client, and what each has heard."""

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
from tests.harness.subjects import IMAGES, OFFERS, Subject, Viewer

PLAIN_WATCH = WATCH.replace("member { id status }\n  }\n  ... on MemberState", "}\n  ... on MemberState")
SILENCE_SECONDS = 4.0
FILTERS: tuple[dict[str, Any], ...] = ({}, {}, {"role": "PRODUCER"}, {"role": "CONSUMER"}, {"status": ["ACCEPTED"]})


class Heard(NamedTuple):
    at: float
    item: dict[str, Any]

    @property
    def bytes(self) -> str:
        return json.dumps(self.item)


@dataclass
class Watcher:
    """One logical watch. It is its own store of cursors: what was heard has been processed."""

    url: str
    token: Callable[[], str]
    viewer: Viewer
    subject: Subject
    initial: str
    query: str
    heard: list[Heard] = field(default_factory=list[Heard])
    connections: int = 0
    trouble: BaseException | None = None
    _task: "asyncio.Task[None] | None" = None
    _restarting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})

    async def restart(self) -> None:
        """The program ends in the middle of anything, and another one goes on from what it had stored."""
        async with self._restarting:  # or two that come at once would leave two programs, which store one's cursors
            await self.stop()
            self.start()

    def load(self) -> str | None:
        return self.heard[-1].item["cursor"] if self.heard else None

    def store(self, cursor: str) -> None:
        assert cursor == self.heard[-1].item["cursor"], "the cursor beside the data is that of the item"

    def position(self, seal: Seal) -> int:
        """How far it has come; a snapshot that is not complete counts for nothing."""
        mark = mark_in(seal, self.heard[-1].item["cursor"]) if self.heard else None
        return -1 if mark is None or mark.in_snapshot else mark.seq

    def _fresh_token(self) -> str:
        self.connections += 1
        return self.token()

    async def _listen(self) -> None:
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
                    self.heard.append(Heard(monotonic(), data[self.subject.field]))
        except Exception as error:  # noqa: BLE001  # the verdict tells of it: no watch may end by itself
            self.trouble = error


def crowd(url: str, mint: Callable[..., str], owners: list[str], size: int) -> list[Watcher]:
    """Watchers of every kind, always two alike."""
    return [_one(url, mint, owners, number // 2) for number in range(size)]


def _one(url: str, mint: Callable[..., str], owners: list[str], kind: int) -> Watcher:
    people = [*owners, *CONSUMERS]
    is_operator = kind % 12 == 11
    tenant_id = "999" if is_operator else people[kind % len(people)]
    of_images = kind % 3 == 2
    wanted = FILTERS[kind % len(FILTERS)]
    if of_images:
        wanted = {name: value for name, value in wanted.items() if name == "role"}
    query = WATCH_IMAGES if of_images else (PLAIN_WATCH if kind % 2 else WATCH)
    roles = ("operator",) if is_operator else ("admin",)
    return Watcher(
        url,
        lambda: mint(tenant_id, *roles),
        Viewer(tenant_id, is_operator, wanted),
        IMAGES if of_images else OFFERS,
        "SNAPSHOT" if kind % 4 < 2 else "CHANGES",
        query,
    )
