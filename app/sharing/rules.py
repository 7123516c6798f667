"""The decisions of sharing: may this caller, and what then? Pure: rows in, a row or a refusal out.

Cannot see it: NotFound. Can see it but may not: Forbidden. May, but the state forbids: Conflict.
The order is always: see the image, the right, the state.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.errors import BadUserInput, Conflict, Forbidden, LimitExceeded, NotFound, Refusal
from app.model import (
    Caller,
    ImageOrigin,
    ImageStatus,
    ImageVisibility,
    Role,
    SeenImage,
    SeenMember,
)
from app.sharing.problems import Mistakes

UNSEEN_IMAGE = "No image with this ID is visible to you. An offer may have been withdrawn, or the image deleted."
UNSEEN_MEMBER = "No membership like this is visible to you. It may never have been offered, or have ended."

_OWNER_STEPS = {
    (ImageStatus.QUEUED, ImageStatus.SAVING),
    (ImageStatus.SAVING, ImageStatus.ACTIVE),
}
_OPERATOR_STEPS = {
    (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED),
    (ImageStatus.DEACTIVATED, ImageStatus.ACTIVE),
}


class Verdict(NamedTuple):
    """The decision on one offer: its new row is written if `refusal` is None."""

    row: SeenMember
    refusal: Refusal | None


def require_seen(image: SeenImage | None, argument: str = "imageId") -> SeenImage:
    """Check that the caller sees the image, and return it. `argument` is the input field of its ID. Raises NotFound."""
    if image is None:
        raise NotFound(UNSEEN_IMAGE, ("input", argument))
    return image


def starts_as(status: ImageStatus) -> None:
    """An image begins in one of these states. Raises BadUserInput for the others."""
    if status not in (ImageStatus.QUEUED, ImageStatus.SAVING, ImageStatus.ACTIVE):
        raise BadUserInput("An image is registered as QUEUED, SAVING or ACTIVE.", ("input", "status"))


def may_register(caller: Caller, visibility: ImageVisibility) -> None:
    """Creators and admins register images; PUBLIC ones only if they are operators too."""
    if not caller.roles & {Role.CREATOR, Role.ADMIN}:
        raise Forbidden("Registering an image needs the role creator or admin in your tenant.")
    if visibility is ImageVisibility.PUBLIC and not caller.is_operator:
        raise Forbidden("Only operators make an image PUBLIC.", ("input", "visibility"))


def fits_origin(origin: ImageOrigin, server_id: str | None, source_url: str | None) -> None:
    """A SNAPSHOT names its server, an IMPORT its address, and neither has the other's. Raises Malformed."""
    needed, value = ("serverId", server_id) if origin is ImageOrigin.SNAPSHOT else ("sourceUrl", source_url)
    mistakes = Mistakes()
    if value is None:
        mistakes.found.append(BadUserInput(f"Origin {origin} needs {needed}.", ("input", needed)))
    mistakes.check(has_no_other_origin, origin, server_id, source_url)
    mistakes.require_none()


def has_no_other_origin(origin: ImageOrigin, server_id: str | None, source_url: str | None) -> None:
    """Only a SNAPSHOT has a server, and only an IMPORT an address."""
    foreign, value = ("sourceUrl", source_url) if origin is ImageOrigin.SNAPSHOT else ("serverId", server_id)
    if value is not None:
        raise BadUserInput(f"{foreign} does not belong to origin {origin}.", ("input", foreign))


def may_offer(caller: Caller, image: SeenImage) -> None:
    """Only the owner offers, and only a SHARED image takes offers; its own status does not matter."""
    if not _owns(caller, image):
        raise Forbidden("Only the owner of an image offers it; sharing is not passed on.")
    if not caller.roles & {Role.CREATOR, Role.ADMIN}:
        raise Forbidden("Offering an image needs the role creator or admin in your tenant.")
    if image.visibility is not ImageVisibility.SHARED:
        raise Forbidden(f"Only a SHARED image takes offers; this one is {image.visibility}.")


def offers(
    image: SeenImage, new: Sequence[SeenMember], present: Mapping[str, SeenMember], taken: int, quota: int
) -> Iterator[Verdict]:
    """Decide on each new row by itself, in this order; each created row counts toward the quota."""
    rows = dict(present)
    for row in new:
        refusal = _refused_offer(image, row.tenant_id, rows, taken, quota)
        if refusal is None:
            rows[row.tenant_id] = row
            taken += 1
        yield Verdict(row, refusal)


def _refused_offer(
    image: SeenImage, tenant_id: str, rows: Mapping[str, SeenMember], taken: int, quota: int
) -> Refusal | None:
    if tenant_id == image.owner_id:
        return own_offer(tenant_id)
    if (row := rows.get(tenant_id)) is not None:
        return standing_offer(row)
    if 0 <= quota <= taken:
        message = f"The image has {taken} pending and accepted members; the maximum is {quota}."
        return LimitExceeded(message, tenant_id=tenant_id)
    return None


def own_offer(tenant_id: str) -> Refusal:
    return BadUserInput("An image can't be offered to its own owner.", tenant_id=tenant_id)


def standing_offer(row: SeenMember) -> Refusal:
    """An offer to a tenant that is a member already."""
    message = f"This image is offered to this tenant already; the membership is {row.status}."
    return Conflict(message, tenant_id=row.tenant_id, member_id=row.id)


def may_answer(caller: Caller, image: SeenImage, own_row: SeenMember | None) -> SeenMember:
    """Only the tenant that the row names answers, by an admin; any answer may follow any other."""
    if _owns(caller, image):
        raise Forbidden("The owner of an image offers it; the answer is the consumer's.")
    if own_row is None and caller.is_operator:
        raise Forbidden("An operator does not answer for a consumer.")
    if own_row is None:
        raise NotFound(UNSEEN_MEMBER, ("input", "imageId"))
    if Role.ADMIN not in caller.roles:
        raise Forbidden("Answering an offer needs the role admin in your tenant.")
    return own_row


def may_revoke(caller: Caller, image: SeenImage, row: SeenMember | None) -> SeenMember:
    """The owner (an admin) or an operator ends a membership, in any status and whatever the visibility."""
    owns = _owns(caller, image)
    if owns and not (Role.ADMIN in caller.roles or caller.is_operator):
        raise Forbidden("Revoking a membership needs the role admin in your tenant.")
    if row is None:
        raise NotFound(UNSEEN_MEMBER, ("input", "tenantId"))
    if not owns and not caller.is_operator:
        raise Forbidden("Only the owner revokes a membership. To leave, reject the offer.")
    return row


def may_delete(caller: Caller, image: SeenImage) -> None:
    """Only the owner's admin deletes, and never a protected image."""
    _must_be_owner_admin(caller, image, "delete")
    if image.protected:
        raise Forbidden("The image is protected. Set `protected` to false first.")


def may_update(caller: Caller, image: SeenImage, changes: Mapping[str, Any]) -> None:
    """The owner's admin changes everything, except what is the operator's: DEACTIVATED, and PUBLIC."""
    all_operators = bool(changes) and all(_is_operators(image, name, value) for name, value in changes.items())
    if not (caller.is_operator and all_operators):
        _must_be_owner_admin(caller, image, "change")
    if changes.get("visibility") is ImageVisibility.PUBLIC and image.visibility is not ImageVisibility.PUBLIC:
        _must_be_operator(caller, "make an image PUBLIC", "visibility")
    if "status" in changes and changes["status"] is not image.status:
        _may_step(caller, image, changes["status"])


def _may_step(caller: Caller, image: SeenImage, to: ImageStatus) -> None:
    step = (image.status, to)
    if step in _OPERATOR_STEPS:
        _must_be_operator(caller, "deactivate an image or take it back", "status")
    elif step not in _OWNER_STEPS:
        raise Conflict(f"An image does not go from {image.status} to {to}.", ("input", "status"))


def _is_operators(image: SeenImage, name: str, value: Any) -> bool:
    if name == "status":
        return value in (image.status, ImageStatus.DEACTIVATED) or (image.status, value) in _OPERATOR_STEPS
    return (name, value) == ("visibility", ImageVisibility.PUBLIC)


def _must_be_operator(caller: Caller, deed: str, field: str) -> None:
    if not caller.is_operator:
        raise Forbidden(f"Only operators {deed}.", ("input", field))


def _must_be_owner_admin(caller: Caller, image: SeenImage, deed: str) -> None:
    if not _owns(caller, image):
        raise Forbidden(f"Only the owner may {deed} an image; to you it is read-only.")
    if Role.ADMIN not in caller.roles:
        raise Forbidden(f"To {deed} an image you need the role admin in your tenant.")


def _owns(caller: Caller, image: SeenImage) -> bool:
    return image.owner_id == caller.tenant_id
