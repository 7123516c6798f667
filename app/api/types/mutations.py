"""The mutations: each unpacks its input, calls one action of `sharing.service`, and shows the outcome."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, TypeVar

import strawberry

from app.api.operation.context import Info
from app.api.types import inputs
from app.api.types.nodes import Image, Member
from app.api.types.refusals import UserError, user_errors
from app.errors import Malformed
from app.model import MemberStatus
from app.sharing import formats, service
from app.sharing.outcome import Outcome
from app.sharing.problems import Mistakes

T = TypeVar("T")
Input = Annotated[T, strawberry.argument(description="What to do, and to what.")]


@strawberry.type
class MutationPayload:
    """The part that all payloads share; not a type of the schema itself."""

    errors: list[UserError] = strawberry.field(description="What was refused; empty when all went well.")
    client_mutation_id: str | None = strawberry.field(description="As it was given in the input.")


@strawberry.type(description="What `registerImage` came to.")
class RegisterImagePayload(MutationPayload):
    image: Image | None = strawberry.field(description="The new image; null when it was refused.")


@strawberry.type(description="What `updateImage` came to.")
class UpdateImagePayload(MutationPayload):
    image: Image | None = strawberry.field(description="The image after the change; null when it was refused.")


@strawberry.type(description="What `deleteImage` came to.")
class DeleteImagePayload(MutationPayload):
    deleted_image_id: strawberry.ID | None = strawberry.field(
        description="ID of the image that is gone; null when it was refused."
    )


@strawberry.type(description="What `offerImage` came to.")
class OfferImagePayload(MutationPayload):
    members: list[Member] = strawberry.field(description="The memberships that were made, in the order of the input.")


@strawberry.type
class AnswerOfferPayload(MutationPayload):
    member: Member | None = strawberry.field(description="The membership; null when the answer was refused.")


@strawberry.type(description="What `acceptOffer` came to.")
class AcceptOfferPayload(AnswerOfferPayload):
    pass


@strawberry.type(description="What `rejectOffer` came to.")
class RejectOfferPayload(AnswerOfferPayload):
    pass


@strawberry.type(description="What `deferOffer` came to.")
class DeferOfferPayload(AnswerOfferPayload):
    pass


@strawberry.type(description="What `revokeMember` came to.")
class RevokeMemberPayload(MutationPayload):
    revoked_member_id: strawberry.ID | None = strawberry.field(
        description="ID of the membership that has ended; null when it was refused."
    )


@strawberry.type(
    description="What the caller may do. Each takes one `input`; its payload says what came of it and what was refused."
)
class Mutation:
    @strawberry.mutation(
        description="Register an image of the caller's tenant, SHARED by default: open to nobody until it is offered. "
        "Needs the role creator or admin. The ID is chosen by the gateway and never used twice."
    )
    async def register_image(self, info: Info, input: Input[inputs.RegisterImageInput]) -> RegisterImagePayload:
        outcome = await _act(info, input, service.register_image, inputs.columns(input), input.idempotency_key)
        return RegisterImagePayload(image=_image(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Change an image. Needs the role admin in the owner's tenant; operators set DEACTIVATED, ACTIVE "
        "again, and "
        "PUBLIC. Members are not told by `updatedAt` of each other's offers and answers, only of these changes."
    )
    async def update_image(self, info: Info, input: Input[inputs.UpdateImageInput]) -> UpdateImagePayload:
        changes = inputs.columns(input)
        outcome = await _act(info, input, service.update_image, input.id, changes, input.idempotency_key)
        return UpdateImagePayload(image=_image(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Delete an image, which ends its memberships with one event each. Needs the role admin in the "
        "owner's "
        "tenant; a protected image is FORBIDDEN. What consumers have built from it stays theirs."
    )
    async def delete_image(self, info: Info, input: Input[inputs.DeleteImageInput]) -> DeleteImagePayload:
        outcome = await _act(info, input, service.delete_image, input.id, input.idempotency_key)
        return DeleteImagePayload(deleted_image_id=_ended(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Offer a SHARED image to consumers. Needs the role creator or admin in the owner's tenant. "
        "Whether a tenant "
        "exists makes no difference, to this answer or to any later one. An image has a limited number of pending and "
        "accepted members (LIMIT_EXCEEDED); an offer that stands already is a CONFLICT."
    )
    async def offer_image(self, info: Info, input: Input[inputs.OfferImageInput]) -> OfferImagePayload:
        limits, key = info.context.services.limits, input.idempotency_key
        outcome = await _act(info, input, service.offer_image, input.image_id, input.tenant_ids, limits, key)
        made = [Member.of(row, outcome.image) for row in outcome.members]
        return OfferImagePayload(members=made, **_common(info, input, outcome))

    @strawberry.mutation(
        description="Accept an offer, also one that was rejected before: the image enters the caller's image list. "
        "Needs the role "
        "admin. Accepting twice changes nothing."
    )
    async def accept_offer(self, info: Info, input: Input[inputs.AcceptOfferInput]) -> AcceptOfferPayload:
        outcome = await _answer(info, input, MemberStatus.ACCEPTED)
        return AcceptOfferPayload(member=_member(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Reject an offer, or leave an image that was accepted: it leaves the caller's image list. Needs "
        "the role "
        "admin. The row stays until the owner revokes it, and may be accepted after all."
    )
    async def reject_offer(self, info: Info, input: Input[inputs.RejectOfferInput]) -> RejectOfferPayload:
        outcome = await _answer(info, input, MemberStatus.REJECTED)
        return RejectOfferPayload(member=_member(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Put an offer back to PENDING, to decide later: it leaves the caller's image list. Needs the "
        "role admin."
    )
    async def defer_offer(self, info: Info, input: Input[inputs.DeferOfferInput]) -> DeferOfferPayload:
        outcome = await _answer(info, input, MemberStatus.PENDING)
        return DeferOfferPayload(member=_member(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="End one consumer's membership: withdraw a pending offer, revoke an accepted one, clean up a "
        "rejected one. "
        "Needs the role admin in the owner's tenant, or operator. It takes effect at once; a consumer leaves by "
        "`rejectOffer`."
    )
    async def revoke_member(self, info: Info, input: Input[inputs.RevokeMemberInput]) -> RevokeMemberPayload:
        limits, key = info.context.services.limits, input.idempotency_key
        outcome = await _act(info, input, service.revoke_member, input.image_id, input.tenant_id, limits, key)
        return RevokeMemberPayload(revoked_member_id=_ended(outcome), **_common(info, input, outcome))


async def _act(
    info: Info,
    input: Any,
    action: Callable[..., Awaitable[Outcome]],
    *args: Any,
) -> Outcome:
    mistakes = Mistakes()
    mistakes.check(formats.echo, input.client_mutation_id)
    if mistakes.found:
        action = partial(action, mistakes=mistakes)
    try:
        return await info.context.act(action, *args)
    except Malformed as malformed:
        return Outcome(refusals=malformed.mistakes)


async def _answer(info: Info, input: inputs.AnswerOfferInput, status: MemberStatus) -> Outcome:
    return await _act(info, input, service.answer_offer, input.image_id, status, input.idempotency_key)


def _common(info: Info, input: Any, outcome: Outcome) -> dict[str, Any]:
    image_id = formats.as_stored(getattr(input, "image_id", None) or getattr(input, "id", None) or "") or None
    echo: str | None = input.client_mutation_id
    fits = echo is not None and len(echo) <= formats.NAME_LIMIT
    return {"errors": user_errors(info, outcome, image_id), "client_mutation_id": echo if fits else None}


def _image(outcome: Outcome) -> Image | None:
    return None if outcome.image is None else Image.of(outcome.image)


def _member(outcome: Outcome) -> Member | None:
    return Member.of(outcome.members[0], outcome.image) if outcome.members else None


def _ended(outcome: Outcome) -> strawberry.ID | None:
    return None if outcome.ended_id is None else strawberry.ID(outcome.ended_id)
