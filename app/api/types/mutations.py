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
Input = Annotated[T, strawberry.argument(description="The input of the mutation.")]


@strawberry.type
class MutationPayload:
    """The part that all payloads share; not a type of the schema itself."""

    errors: list[UserError] = strawberry.field(description="What was refused; empty if nothing was.")
    client_mutation_id: str | None = strawberry.field(description="The value from the input.")


@strawberry.type(description="The result of `registerImage`.")
class RegisterImagePayload(MutationPayload):
    image: Image | None = strawberry.field(description="The new image; null if refused.")


@strawberry.type(description="The result of `updateImage`.")
class UpdateImagePayload(MutationPayload):
    image: Image | None = strawberry.field(description="The changed image; null if refused.")


@strawberry.type(description="The result of `deleteImage`.")
class DeleteImagePayload(MutationPayload):
    deleted_image_id: strawberry.ID | None = strawberry.field(description="ID of the deleted image; null if refused.")


@strawberry.type(description="The result of `offerImage`.")
class OfferImagePayload(MutationPayload):
    members: list[Member] = strawberry.field(description="The new memberships, in the order of the input.")


@strawberry.type
class AnswerOfferPayload(MutationPayload):
    member: Member | None = strawberry.field(description="The membership; null if the answer was refused.")


@strawberry.type(description="The result of `acceptOffer`.")
class AcceptOfferPayload(AnswerOfferPayload):
    pass


@strawberry.type(description="The result of `rejectOffer`.")
class RejectOfferPayload(AnswerOfferPayload):
    pass


@strawberry.type(description="The result of `deferOffer`.")
class DeferOfferPayload(AnswerOfferPayload):
    pass


@strawberry.type(description="The result of `revokeMember`.")
class RevokeMemberPayload(MutationPayload):
    revoked_member_id: strawberry.ID | None = strawberry.field(
        description="ID of the membership that was ended; null if refused."
    )


@strawberry.type(
    description="The actions of callers. Each takes one `input` and returns a payload with the result and the refusals."
)
class Mutation:
    @strawberry.mutation(
        description="Register an image of the caller's tenant. By default it is SHARED, and visible to nobody else "
        "until it is offered. Requires the role creator or admin. The gateway assigns the ID and never reuses it."
    )
    async def register_image(self, info: Info, input: Input[inputs.RegisterImageInput]) -> RegisterImagePayload:
        outcome = await _act(info, input, service.register_image, inputs.columns(input), input.idempotency_key)
        return RegisterImagePayload(image=_image(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Change an image. Requires the role admin in the owner's tenant; only operators deactivate and "
        "reactivate images and make them PUBLIC. Only these changes update `updatedAt`, not offers and answers, so "
        "that members don't learn of each other."
    )
    async def update_image(self, info: Info, input: Input[inputs.UpdateImageInput]) -> UpdateImagePayload:
        changes = inputs.columns(input)
        outcome = await _act(info, input, service.update_image, input.id, changes, input.idempotency_key)
        return UpdateImagePayload(image=_image(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Delete an image and end its memberships, with one event for each. Requires the role admin in the "
        "owner's tenant; for a protected image it is FORBIDDEN. Servers that consumers have built from it are not "
        "affected."
    )
    async def delete_image(self, info: Info, input: Input[inputs.DeleteImageInput]) -> DeleteImagePayload:
        outcome = await _act(info, input, service.delete_image, input.id, input.idempotency_key)
        return DeleteImagePayload(deleted_image_id=_ended(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Offer a SHARED image to consumers. Requires the role creator or admin in the owner's tenant. "
        "Neither this response nor any later one reveals whether a tenant exists. An offer that already exists is a "
        "CONFLICT; the number of pending and accepted members of an image is limited (LIMIT_EXCEEDED)."
    )
    async def offer_image(self, info: Info, input: Input[inputs.OfferImageInput]) -> OfferImagePayload:
        limits, key = info.context.services.limits, input.idempotency_key
        outcome = await _act(info, input, service.offer_image, input.image_id, input.tenant_ids, limits, key)
        made = [Member.of(row, outcome.image) for row in outcome.members]
        return OfferImagePayload(members=made, **_common(info, input, outcome))

    @strawberry.mutation(
        description="Accept an offer, even after rejecting it. The image appears in the caller's image list. Requires "
        "the role admin. Accepting twice changes nothing."
    )
    async def accept_offer(self, info: Info, input: Input[inputs.AcceptOfferInput]) -> AcceptOfferPayload:
        outcome = await _answer(info, input, MemberStatus.ACCEPTED)
        return AcceptOfferPayload(member=_member(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Reject an offer, or leave an accepted image. The image disappears from the caller's image list. "
        "Requires the role admin. The membership remains until the owner revokes it, and can still be accepted."
    )
    async def reject_offer(self, info: Info, input: Input[inputs.RejectOfferInput]) -> RejectOfferPayload:
        outcome = await _answer(info, input, MemberStatus.REJECTED)
        return RejectOfferPayload(member=_member(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="Return an offer to PENDING, to decide later. The image disappears from the caller's image list. "
        "Requires the role admin."
    )
    async def defer_offer(self, info: Info, input: Input[inputs.DeferOfferInput]) -> DeferOfferPayload:
        outcome = await _answer(info, input, MemberStatus.PENDING)
        return DeferOfferPayload(member=_member(outcome), **_common(info, input, outcome))

    @strawberry.mutation(
        description="End one consumer's membership, whether pending, accepted or rejected, with immediate effect. "
        "Requires the role admin in the owner's tenant, or the role operator. Consumers leave an image with "
        "`rejectOffer` instead."
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
