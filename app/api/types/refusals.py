"""Expected refusals as data: a `UserError` in the payload, and a line in the log."""

from typing import Any

import strawberry
import structlog

from app.api.operation.context import Info
from app.api.operation.notes import note_refusal
from app.api.types.nodes import Member
from app.errors import Refusal, UserErrorCode
from app.sharing.outcome import Outcome

logger: Any = structlog.get_logger("refusals")


@strawberry.type(description="Why something in a mutation was refused. Nothing that was refused has left a trace.")
class UserError:
    code: UserErrorCode = strawberry.field(description="The kind of refusal, for programs.")
    message: str = strawberry.field(description="What is wrong and what to do, for people. The wording may change.")
    path: list[str] | None = strawberry.field(
        description="From the mutation's arguments to the value at fault, such as `input`, `tenantIds`, `1`."
    )
    tenant_id: strawberry.ID | None = strawberry.field(
        description="`offerImage` only: the tenant ID of the input that this is about; null when the whole call was "
        "refused, and for one of more than 255 characters, which `path` points to."
    )
    member: Member | None = strawberry.field(
        description="`offerImage` only: on CONFLICT, the membership that stands in the way, unchanged."
    )


def user_errors(info: Info, outcome: Outcome, image_id: str | None) -> list[UserError]:
    """The refusals of an outcome. Who was refused what is logged, for operators only (P22)."""
    for refusal in outcome.refusals:
        note_refusal(refusal.code)
        _log(info, refusal, image_id)
    return [_user_error(outcome, refusal) for refusal in outcome.refusals]


def _log(info: Info, refusal: Refusal, image_id: str | None) -> None:
    caller = info.context.caller
    logger.info(
        "refused",
        code=str(refusal.code),
        action=info.field_name,
        tenant=caller.tenant_id,
        subject=caller.subject,
        image=None if image_id is None else image_id[:36],
        offered_to=None if refusal.tenant_id is None else refusal.tenant_id[:255],
        request_id=info.context.request_id,
    )


def _user_error(outcome: Outcome, refusal: Refusal) -> UserError:
    row = outcome.standing_row(refusal)
    return UserError(
        code=refusal.code,
        message=refusal.message,
        path=None if refusal.path is None else list(refusal.path),
        tenant_id=None if refusal.tenant_id is None else strawberry.ID(refusal.tenant_id),
        member=None if row is None else Member.of(row, outcome.image),
    )
