"""The actions of sharing: each reads, decides, writes and logs, in one transaction.

`rules` decides. A refused action writes nothing. Malformed input raises Malformed with every mistake, before the store
is read; every other refusal is part of the outcome. `mistakes` are those that the API has already found in the input.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from app.errors import Forbidden, Malformed, Refusal
from app.model import Caller, ChangeKind, Image, MemberStatus, SeenImage, SeenMember
from app.rows import defaults
from app.settings import Settings
from app.sharing import formats, log_entries, rules
from app.sharing.action import carry_out, claim_external_id, lock_and_read, remove_with_members
from app.sharing.addressees import in_input_order, refusals_at, split_by_form
from app.sharing.ledger import Ledger, UpstreamActions
from app.sharing.outcome import Outcome, Request
from app.sharing.problems import Mistakes
from app.store import images, log, members
from app.store.engines.transaction import Transaction

NO_REGISTRATION = (
    "Images are made in Glance: as a snapshot of a server, or with `openstack image create`. They appear here by "
    "themselves."
)


@dataclass(frozen=True)
class SharingLimits:
    """The settings that the rules need."""

    tenant_id_pattern: str
    member_quota: int

    @classmethod
    def of(cls, settings: Settings) -> "SharingLimits":
        return cls(settings.tenant_id_pattern, settings.member_quota)


async def register_image(
    ledger: Ledger, caller: Caller, new: Mapping[str, Any], key: str | None = None, mistakes: Mistakes | None = None
) -> Outcome:
    """Register an image of the caller's tenant. Columns that `new` leaves out have the defaults of the table."""
    mistakes, columns = mistakes or Mistakes(), {**defaults(Image), **new}
    mistakes.check(formats.image_columns, new)
    mistakes.check(rules.fits_origin, columns["origin"], columns["server_id"], columns["source_url"])
    mistakes.check(rules.starts_as, columns["status"])

    async def act(tx: Transaction) -> Outcome:
        rules.may_register(caller, columns["visibility"])
        await claim_external_id(tx, caller.tenant_id, columns)
        made: dict[str, Any] = {
            "id": str(uuid4()),
            "owner_id": caller.tenant_id,
            "created_at": tx.now,
            "updated_at": tx.now,
        }
        image = SeenImage(**made, **columns)
        await images.add(tx.conn, image)
        await log.append(tx, log_entries.of_registration(caller, image))
        return Outcome(image=image)

    return await carry_out(ledger, caller, Request("registerImage", new, key), act, mistakes, _refuse_registration)


async def update_image(
    ledger: Ledger,
    caller: Caller,
    image_id: str,
    changes: Mapping[str, Any],
    key: str | None = None,
    mistakes: Mistakes | None = None,
) -> Outcome:
    """Change these columns of an image; the others stay."""
    mistakes = mistakes or Mistakes()
    mistakes.check(formats.image_columns, changes)
    image_id = formats.as_stored(image_id)

    async def act(tx: Transaction) -> Outcome:
        image = await lock_and_read(tx, caller, image_id, "id")
        rules.may_update(caller, image, changes)
        real = {name: value for name, value in changes.items() if getattr(image, name) != value}
        await claim_external_id(tx, image.owner_id, real)
        if real:
            real["updated_at"] = max(tx.now, image.updated_at)
            await images.change(tx.conn, image.id, real)
            await _log_update(tx, caller, image, image.replace(**real))
        return Outcome(image=image.replace(**real))

    request = Request("updateImage", {"id": image_id, **changes}, key)

    def run_upstream(upstream: UpstreamActions) -> Awaitable[Outcome]:
        return upstream.update(caller, request, image_id, changes)

    return await carry_out(ledger, caller, request, act, mistakes, run_upstream)


async def delete_image(
    ledger: Ledger, caller: Caller, image_id: str, key: str | None = None, mistakes: Mistakes | None = None
) -> Outcome:
    """Delete an image and end each of its memberships, with one event each."""
    image_id = formats.as_stored(image_id)

    async def act(tx: Transaction) -> Outcome:
        image = await lock_and_read(tx, caller, image_id, "id")
        rules.may_delete(caller, image)
        await remove_with_members(tx, caller, image)
        return Outcome(ended_id=image.id)

    request = Request("deleteImage", {"id": image_id}, key)
    return await carry_out(
        ledger, caller, request, act, mistakes, lambda upstream: upstream.delete(caller, request, image_id)
    )


async def offer_image(
    ledger: Ledger,
    caller: Caller,
    image_id: str,
    tenant_ids: Sequence[str],
    limits: SharingLimits,
    key: str | None = None,
    mistakes: Mistakes | None = None,
) -> Outcome:
    """Offer an image to each of the tenants; each has its own outcome, and one refusal undoes no other."""
    mistakes, image_id = mistakes or Mistakes(), formats.as_stored(image_id)
    places, malformed = split_by_form(tenant_ids, limits.tenant_id_pattern)
    mistakes.check(formats.key, key)
    if mistakes.found or not places:
        raise Malformed(*mistakes.found, *malformed)
    well_formed = list(places.values())

    async def act(tx: Transaction) -> Outcome:
        image = await lock_and_read(tx, caller, image_id)
        rules.may_offer(caller, image)
        present = await members.of_tenants(tx.conn, caller, image.id, well_formed)
        taken = await members.count_for_quota(tx.conn, image.id)
        new = [_new_row(image, tenant_id, tx.now) for tenant_id in well_formed]
        verdicts = list(rules.offers(image, new, present, taken, limits.member_quota))
        made = [verdict.row for verdict in verdicts if verdict.refusal is None]
        await _add_members(tx, caller, image, made)
        refusals = in_input_order(malformed + tuple(refusals_at(places, verdicts)))
        standing = {row.id: row for row in [*present.values(), *made]}
        return Outcome(image, tuple(made), None, refusals, standing)

    def refused_outcome(refusal: Refusal) -> Outcome:
        return Outcome(refusals=(*malformed, refusal))

    request = Request("offerImage", {"image": image_id, "tenants": list(tenant_ids)}, key)

    def run_upstream(upstream: UpstreamActions) -> Awaitable[Outcome]:
        return upstream.offer(caller, request, image_id, places, malformed)

    return await carry_out(ledger, caller, request, act, mistakes, run_upstream, refused_outcome)


async def answer_offer(
    ledger: Ledger,
    caller: Caller,
    image_id: str,
    status: MemberStatus,
    key: str | None = None,
    mistakes: Mistakes | None = None,
) -> Outcome:
    """Accept, reject, or put off (PENDING) the offer of an image to the caller's tenant."""
    image_id = formats.as_stored(image_id)

    async def act(tx: Transaction) -> Outcome:
        image = await lock_and_read(tx, caller, image_id)
        row = rules.may_answer(caller, image, await members.own_row(tx.conn, caller, image.id))
        if row.status is not status:
            answered = row.replace(status=status, updated_at=max(tx.now, row.updated_at))
            await members.set_status(tx.conn, row.id, status, answered.updated_at)
            step = (row, row.status, status)
            await log.append(tx, log_entries.of_members(ChangeKind.ANSWERED, caller, image, [step]))
            row = answered
        return Outcome(image, (row,))

    request = Request("answerOffer", {"image": image_id, "status": status}, key)

    def run_upstream(upstream: UpstreamActions) -> Awaitable[Outcome]:
        return upstream.answer(caller, request, image_id, status)

    return await carry_out(ledger, caller, request, act, mistakes, run_upstream)


async def revoke_member(
    ledger: Ledger,
    caller: Caller,
    image_id: str,
    tenant_id: str,
    limits: SharingLimits,
    key: str | None = None,
    mistakes: Mistakes | None = None,
) -> Outcome:
    """End one tenant's membership: withdraw a pending offer, revoke an accepted one, clean up a rejected one."""
    mistakes, image_id = mistakes or Mistakes(), formats.as_stored(image_id)
    mistakes.check(formats.tenant_id, tenant_id, limits.tenant_id_pattern, "input", "tenantId")

    async def act(tx: Transaction) -> Outcome:
        image = await lock_and_read(tx, caller, image_id)
        rows = await members.of_tenants(tx.conn, caller, image.id, [tenant_id])
        row = rules.may_revoke(caller, image, rows.get(tenant_id))
        await members.remove(tx.conn, row.id)
        await log.append(tx, log_entries.of_members(ChangeKind.REVOKED, caller, image, [(row, row.status, None)]))
        return Outcome(ended_id=row.id)

    request = Request("revokeMember", {"image": image_id, "tenant": tenant_id}, key)

    def run_upstream(upstream: UpstreamActions) -> Awaitable[Outcome]:
        return upstream.revoke(caller, request, image_id, tenant_id)

    return await carry_out(ledger, caller, request, act, mistakes, run_upstream)


async def _refuse_registration(_: UpstreamActions) -> Outcome:
    return Outcome(refusals=(Forbidden(NO_REGISTRATION),))


async def _log_update(tx: Transaction, caller: Caller, before: SeenImage, after: SeenImage) -> None:
    if (before.status, before.visibility) != (after.status, after.visibility):
        consumers = [row.tenant_id for row in await members.all_of(tx.conn, after.id)]
        await log.append(tx, list(log_entries.of_update(caller, before, after, consumers)))


async def _add_members(tx: Transaction, caller: Caller, image: SeenImage, rows: Sequence[SeenMember]) -> None:
    if rows:
        await members.add(tx.conn, rows)
        steps = [(row, None, row.status) for row in rows]
        await log.append(tx, log_entries.of_members(ChangeKind.OFFERED, caller, image, steps))


def _new_row(image: SeenImage, tenant_id: str, now: datetime) -> SeenMember:
    return SeenMember.new(
        id=str(uuid4()),
        image_id=image.id,
        tenant_id=tenant_id,
        status=MemberStatus.PENDING,
        created_at=now,
        updated_at=now,
    )
