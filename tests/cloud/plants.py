"""Bugs that a random walk must find: ways to keep the mirror that leave it wrong."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from app.mirror.worker import MirrorWorker
from app.model import MemberStatus
from app.store import mirror
from app.store.database import Store
from app.store.engines.prepared import Prepared
from app.upstream.glance import Glance
from app.upstream.views import MemberView, View

ANSWERS, VERSIONS, MARKS = "answers are stored", "versions are not compared", "marks are forgotten"


@contextmanager
def planted(bug: str | None) -> Generator[None]:
    """Run with this bug until the block ends."""
    with ExitStack() as stack:
        if bug == VERSIONS:
            unconditional = text(
                "UPDATE mirrored_image SET version = version + 1, seen = :marks WHERE image_id = :image "
                "AND CAST(:version AS bigint) IS NOT NULL RETURNING version"
            )
            stack.enter_context(patch.object(mirror, "_ADVANCE", Prepared(unconditional)))
        if bug == MARKS:
            stack.enter_context(patch.object(MirrorWorker, "start", _forget_and_start))
        yield


_start = MirrorWorker.start


async def _forget_and_start(worker: MirrorWorker) -> None:
    forget = text("UPDATE mirrored_image SET seen = marks WHERE seen >= 0")
    await worker._mirror._store.act(lambda tx: tx.conn.execute(forget))
    await _start(worker)


class AnswerSource:
    """Takes what Glance has answered to a change for the state of the image, and does not look."""

    def __init__(self, store: Store, glance: Glance) -> None:
        self._store = store
        self._glance = glance
        self._answers: dict[str, MemberView | str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._glance, name)

    async def offer(self, token: str, image_id: str, tenant_id: str) -> MemberView:
        self._answers[image_id] = answer = await self._glance.offer(token, image_id, tenant_id)
        return answer

    async def answer(self, token: str, image_id: str, tenant_id: str, status: MemberStatus) -> MemberView:
        self._answers[image_id] = answer = await self._glance.answer(token, image_id, tenant_id, status)
        return answer

    async def revoke(self, token: str, image_id: str, tenant_id: str) -> None:
        await self._glance.revoke(token, image_id, tenant_id)
        self._answers[image_id] = tenant_id

    async def view(self, image_id: str) -> View | None:
        answer = self._answers.pop(image_id, None)
        if answer is None:
            return await self._glance.view(image_id)
        async with self._store.transaction() as tx:
            image, rows = await mirror.image(tx.conn, image_id), await mirror.all_members(tx.conn, image_id)
        assert image is not None
        members = {
            tenant: MemberView(tenant, row.status, row.created_at, row.updated_at) for tenant, row in rows.items()
        }
        if isinstance(answer, str):
            members.pop(answer, None)
        else:
            members[answer.tenant_id] = answer
        return View(image, members)
