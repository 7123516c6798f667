"""The changes upstream that are about one thing: an answer, the end of a membership, an image."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog

from app.errors import BadUserInput, Forbidden
from app.mirror.errand import Call, Errand, Intent, Refusals, not_seen, token_of, visible_image
from app.mirror.front import Images
from app.model import Caller, ImageStatus, MemberStatus, SeenImage
from app.sharing import rules
from app.sharing.outcome import Outcome, Request
from app.store import images, members
from app.store.engines.transaction import Transaction

# The fields that an owner changes in Glance, by Glance's names for them.
_FIELDS = {
    "name": "name",
    "tags": "tags",
    "visibility": "visibility",
    "protected": "protected",
    "hidden": "os_hidden",
    "min_disk_gb": "min_disk",
    "min_ram_mb": "min_ram",
}
CALL = "call"
logger: Any = structlog.get_logger("mirror")


def answer(upstream: Images, caller: Caller, request: Request, image_id: str, status: MemberStatus) -> Errand:
    async def decide(tx: Transaction) -> Intent:
        image = await visible_image(tx, caller, image_id)
        rules.may_answer(caller, image, await members.own_row(tx.conn, caller, image_id))
        call = partial(upstream.answer, token_of(caller), image_id, caller.tenant_id, status)
        return Intent(image, {CALL: call})

    async def conclude(tx: Transaction, _: Mapping[str, Any], refusals: Refusals) -> Outcome:
        if refusals:
            return Outcome(refusals=tuple(refusals.values()))
        image = await visible_image(tx, caller, image_id)
        row = rules.may_answer(caller, image, await members.own_row(tx.conn, caller, image_id))
        is_told = refusals is not None or row.status is status
        return Outcome(image, (row,)) if is_told else Outcome(refusals=(not_seen(refusals),))

    return Errand(caller, request, image_id, decide, conclude)


def revoke(upstream: Images, caller: Caller, request: Request, image_id: str, tenant_id: str) -> Errand:
    """End a membership.

    An answer at the same moment can undo that: two workers of Glance confirm both, and the member is still there. Then
    it is removed once more.
    """
    call = partial(upstream.revoke, token_of(caller), image_id, tenant_id)

    async def decide(tx: Transaction) -> Intent:
        image = await visible_image(tx, caller, image_id)
        rows = await members.of_tenants(tx.conn, caller, image_id, [tenant_id])
        row = rules.may_revoke(caller, image, rows.get(tenant_id))
        return Intent(image, {CALL: call}, {"member": row.id, "updated": row.updated_at.isoformat()})

    async def repair(tx: Transaction, facts: Mapping[str, Any]) -> Call | None:
        rows = await members.of_tenants(tx.conn, caller, image_id, [tenant_id])
        row = next((one for one in rows.values() if one.id == facts["member"]), None)
        # A pending row that has changed meanwhile was offered again.
        if row is None or (row.status is MemberStatus.PENDING and row.updated_at.isoformat() != facts["updated"]):
            return None
        logger.warning("a removal left the member in Glance and is repeated", image=image_id, tenant=tenant_id)
        return call

    async def conclude(tx: Transaction, facts: Mapping[str, Any], refusals: Refusals) -> Outcome:
        if refusals:
            return Outcome(refusals=tuple(refusals.values()))
        rows = await members.of_tenants(tx.conn, caller, image_id, [tenant_id])
        is_there = any(row.id == facts["member"] for row in rows.values())
        if is_there and refusals is not None:
            logger.error("a removal has left the member in Glance", image=image_id, tenant=tenant_id)
        return Outcome(refusals=(not_seen(refusals),)) if is_there else Outcome(ended_id=facts["member"])

    return Errand(caller, request, image_id, decide, conclude, repair=repair)


def delete(upstream: Images, caller: Caller, request: Request, image_id: str) -> Errand:
    async def decide(tx: Transaction) -> Intent:
        image = await visible_image(tx, caller, image_id, "id")
        rules.may_delete(caller, image)
        return Intent(image, {CALL: partial(upstream.delete, token_of(caller), image_id)})

    async def conclude(tx: Transaction, _: Mapping[str, Any], refusals: Refusals) -> Outcome:
        if refusals:
            return Outcome(refusals=tuple(refusals.values()))
        is_there = await images.find_one(tx.conn, caller, image_id) is not None
        return Outcome(refusals=(not_seen(refusals),)) if is_there else Outcome(ended_id=image_id)

    return Errand(caller, request, image_id, decide, conclude)


def update(upstream: Images, caller: Caller, request: Request, image_id: str, changes: Mapping[str, Any]) -> Errand:
    async def decide(tx: Transaction) -> Intent:
        image = await visible_image(tx, caller, image_id, "id")
        rules.may_update(caller, image, changes)
        real = {name: value for name, value in changes.items() if not _has(image, name, value)}
        return Intent(image, _calls(upstream, token_of(caller), image, real), {"changed": sorted(real)})

    async def conclude(tx: Transaction, facts: Mapping[str, Any], refusals: Refusals) -> Outcome:
        image = await visible_image(tx, caller, image_id, "id")
        is_told = refusals is not None or all(_has(image, name, changes[name]) for name in facts["changed"])
        refused = tuple((refusals or {}).values()) if is_told else (not_seen(refusals),)
        return Outcome(refusals=refused) if refused else Outcome(image=image)

    return Errand(caller, request, image_id, decide, conclude)


def _calls(upstream: Images, token: str, image: SeenImage, changes: Mapping[str, Any]) -> dict[str, Call]:
    """The call for the fields, or that for the status. Raises BadUserInput for both, since one of them could fail.

    Raises Forbidden for what Glance alone decides.
    """
    calls: dict[str, Call] = {}
    fields = {name: value for name, value in changes.items() if name != "status"}
    if fields and "status" in changes:
        raise BadUserInput("In front of Glance the status is changed alone. Send it by itself.", ("input", "status"))
    for name in fields:
        if name == "external_id":
            raise Forbidden("In front of Glance images have no external ID.", ("input", "externalId"))
        if name not in _FIELDS:
            raise Forbidden(f"Glance itself sets `{name}`; it can't be changed here.")
    if fields:
        values = {_FIELDS[name]: _as_glance_has_it(name, value) for name, value in fields.items()}
        calls["fields"] = partial(upstream.update, token, image.id, values)
    if "status" in changes:
        calls["status"] = partial(_step(upstream, changes["status"]), token, image.id)
    return calls


def _step(upstream: Images, status: ImageStatus) -> Any:
    if status is ImageStatus.DEACTIVATED:
        return upstream.deactivate
    if status is ImageStatus.ACTIVE:
        return upstream.reactivate
    raise Forbidden("Glance itself sets the status while an image is made.")


def _has(image: SeenImage, name: str, value: Any) -> bool:
    """Whether the image has this value; Glance keeps no order of tags."""
    found = getattr(image, name)
    return sorted(found) == sorted(value) if name == "tags" else found == value


def _as_glance_has_it(name: str, value: Any) -> Any:
    return value.lower() if name == "visibility" else value
