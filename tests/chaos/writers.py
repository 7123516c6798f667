"""Writers that share images of their own, act as their consumers, and record the outcomes."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.harness import operations
from tests.harness.gateway import IMAGE

Step = tuple[Any, ...]
ACKNOWLEDGED, LOST, REFUSED = "acknowledged", "lost", "refused"
ANSWERS = {"acceptOffer": "ACCEPTED", "rejectOffer": "REJECTED", "deferOffer": "PENDING"}
NEXT = {
    None: ["offerImage"],
    "PENDING": ["acceptOffer", "rejectOffer", "revokeMember"],
    "ACCEPTED": ["rejectOffer", "deferOffer", "revokeMember"],
    "REJECTED": ["acceptOffer", "deferOffer", "revokeMember"],
}
UNSURE = "?"
CONSUMERS = [str(number) for number in range(101, 113)]


@dataclass(frozen=True)
class Attempt:
    """An attempted step. One that may repeat an earlier step need not be logged."""

    image: str
    step: Step
    outcome: str
    may_be_idle: bool = False


class Writer:
    def __init__(self, url: str, token: Callable[[str], str], tenant_id: str, seed: str, pause: float) -> None:
        self._url = url
        self._token = token
        self.tenant_id = tenant_id
        self._random = random.Random(seed)
        self._pause = pause
        self.attempts: list[Attempt] = []
        self._images: dict[str, dict[str, str | None]] = {}
        self._shared: dict[str, bool | None] = {}

    async def work(self, ended: asyncio.Event) -> None:
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with httpx2.AsyncClient(timeout=4, limits=limits) as client:
            while not ended.is_set():
                await self._step(client)
                await asyncio.sleep(self._random.uniform(0.2, 1.8) * self._pause)  # the pace of people

    async def _step(self, client: httpx2.AsyncClient) -> None:
        if len(self._images) < 3:
            await self._register(client)
            return
        image, dice = self._random.choice(list(self._images)), self._random.random()
        if dice < 0.02:
            await self._delete(client, image)
        elif dice < 0.10 or self._shared[image] is not True:
            await self._change_visibility(client, image)
        else:
            await self._change_member(client, image)

    async def _register(self, client: httpx2.AsyncClient) -> None:
        outcome, payload = await self._do(client, "registerImage", self.tenant_id, **{**IMAGE, "visibility": "SHARED"})
        if outcome == ACKNOWLEDGED:
            image = payload["image"]["id"]
            self._record(image, ("REGISTERED", self.tenant_id, "SHARED"), outcome)
            self._images[image] = dict.fromkeys(CONSUMERS)
            self._shared[image] = True

    async def _delete(self, client: httpx2.AsyncClient, image: str) -> None:
        outcome, _ = await self._do(client, "deleteImage", self.tenant_id, id=image)
        self._record(image, ("DELETED", self.tenant_id, None), outcome)
        if outcome != LOST:
            del self._images[image]

    async def _change_visibility(self, client: httpx2.AsyncClient, image: str) -> None:
        before = self._shared[image]
        target = "SHARED" if before is not True else "PRIVATE"
        outcome, _ = await self._do(client, "updateImage", self.tenant_id, id=image, visibility=target)
        if outcome == REFUSED:
            # An earlier deletion succeeded although its response was lost.
            del self._images[image]
            return
        self._record(image, ("CHANGED", self.tenant_id, target), outcome, before is None)
        self._shared[image] = None if outcome == LOST else target == "SHARED"

    async def _change_member(self, client: httpx2.AsyncClient, image: str) -> None:
        consumer = self._random.choice(CONSUMERS)
        state = self._images[image][consumer]
        unsure = state == UNSURE
        known = self._random.choice(list(NEXT)) if unsure else state
        act = self._random.choice(NEXT[known])
        step, after = self._expected_step(act, consumer)
        who = consumer if act in ANSWERS else self.tenant_id
        outcome, _ = await self._do(client, act, who, **self._input(act, image, consumer))
        self._record(image, step, outcome, unsure)
        if outcome == REFUSED and not unsure:
            self._images[image][consumer] = UNSURE
        elif outcome != REFUSED:
            self._images[image][consumer] = after if outcome == ACKNOWLEDGED else UNSURE

    def _expected_step(self, act: str, consumer: str) -> tuple[Step, str | None]:
        """The log entry to expect, and the status after it."""
        if act == "offerImage":
            return ("OFFERED", consumer, "PENDING"), "PENDING"
        if act == "revokeMember":
            return ("REVOKED", consumer, None), None
        return ("ANSWERED", consumer, ANSWERS[act]), ANSWERS[act]

    def _input(self, act: str, image: str, consumer: str) -> dict[str, Any]:
        if act == "offerImage":
            return {"imageId": image, "tenantIds": [consumer]}
        return {"imageId": image} if act in ANSWERS else {"imageId": image, "tenantId": consumer}

    def _record(self, image: str, step: Step, outcome: str, may_be_idle: bool = False) -> None:
        self.attempts.append(Attempt(image, step, outcome, may_be_idle))

    async def _do(self, client: httpx2.AsyncClient, act: str, tenant: str, **input: Any) -> tuple[str, Any]:
        body = {"query": operations.MUTATIONS[act], "variables": {"input": input}}
        headers = {"authorization": f"Bearer {self._token(tenant)}"}
        try:
            answer = (await client.post(self._url, json=body, headers=headers)).json()
        except (httpx2.HTTPError, ValueError):
            return LOST, None
        if answer.get("errors"):
            return LOST, None
        payload = answer["data"][act]
        return (REFUSED if payload["errors"] else ACKNOWLEDGED), payload


def by_image(writers: list[Writer]) -> dict[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = defaultdict(list)
    for writer in writers:
        for attempt in writer.attempts:
            found[attempt.image].append(attempt)
    return found
