"""Offering an image upstream: each tenant is one call, and has an outcome of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.errors import BadUserInput, Conflict, Refusal
from app.mirror.errand import Call, Errand, Intent, Refusals, not_seen, token_of, visible_image
from app.mirror.front import Images
from app.model import Caller, SeenImage, SeenMember
from app.sharing import rules
from app.sharing.addressees import in_input_order
from app.sharing.outcome import Outcome, Request
from app.store import members
from app.store.engines.transaction import Transaction


@dataclass(frozen=True)
class Addressees:
    """The tenants of one input: those of the right form by their places, and the refusals of the others."""

    places: Mapping[int, str]
    malformed: tuple[BadUserInput, ...]


def offer(upstream: Images, caller: Caller, request: Request, image_id: str, to: Addressees) -> Errand:
    async def decide(tx: Transaction) -> Intent:
        image = await visible_image(tx, caller, image_id)
        rules.may_offer(caller, image)
        called = list(dict.fromkeys(one for one in to.places.values() if one != image.owner_id))
        rows = await members.of_tenants(tx.conn, caller, image_id, called)
        calls: dict[str, Call] = {one: partial(upstream.offer, token_of(caller), image_id, one) for one in called}
        return Intent(image, calls, {"present": [row.id for row in rows.values()]})

    async def conclude(tx: Transaction, facts: Mapping[str, Any], refusals: Refusals) -> Outcome:
        image = await visible_image(tx, caller, image_id)
        rows = await members.of_tenants(tx.conn, caller, image_id, list(to.places.values()))
        earlier = {row.id for row in rows.values() if row.id in facts["present"]} if refusals is None else set[str]()
        verdicts = _verdicts(to.places, image, rows, refusals, earlier)
        refused = [_placed(refusal, place) for place, refusal in verdicts if refusal is not None]
        made = [rows[to.places[place]] for place, refusal in verdicts if refusal is None]
        ordered = in_input_order((*to.malformed, *refused))
        return Outcome(image, tuple(made), None, ordered, {row.id: row for row in rows.values()})

    return Errand(caller, request, image_id, decide, conclude, lambda one: Outcome(refusals=(*to.malformed, one)))


def _verdicts(
    places: Mapping[int, str],
    image: SeenImage,
    rows: Mapping[str, SeenMember],
    refusals: Refusals,
    earlier: set[str],
) -> list[tuple[int, Refusal | None]]:
    """For each place of the input why it was refused, None where an offer was made. The second of two is a conflict."""
    seen: set[str] = set()
    verdicts: list[tuple[int, Refusal | None]] = []
    for place, tenant_id in places.items():
        row = rows.get(tenant_id)
        is_again = tenant_id in seen or (row is not None and row.id in earlier)
        refusal = (refusals or {}).get(tenant_id)
        verdicts.append((place, _verdict(image, tenant_id, row, is_again, refusal, refusals)))
        seen.add(tenant_id)
    return verdicts


def _verdict(
    image: SeenImage,
    tenant_id: str,
    row: SeenMember | None,
    is_again: bool,
    refusal: Refusal | None,
    refusals: Refusals,
) -> Refusal | None:
    if tenant_id == image.owner_id:
        return rules.own_offer(tenant_id)
    if row is not None and (is_again or isinstance(refusal, Conflict)):
        return rules.standing_offer(row)
    if refusal is None and row is None:
        refusal = not_seen(refusals)
    if refusal is not None:
        refusal.tenant_id = tenant_id
    return refusal


def _placed(refusal: Refusal, place: int) -> Refusal:
    refusal.path = ("input", "tenantIds", str(place))
    return refusal
