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


@strawberry.type(
    description="An expected refusal of a mutation or of a part of it. What was refused has changed nothing."
)
class UserError:
    code: UserErrorCode = strawberry.field(description="The kind of refusal, for use by programs.")
    message: str = strawberry.field(description="What is wrong and how to fix it, for people. The wording may change.")
    path: list[str] | None = strawberry.field(
        description="The path from the mutation's arguments to the invalid value, such as `input`, `tenantIds`, `1`."
    )
    tenant_id: strawberry.ID | None = strawberry.field(
        description="`offerImage` only: the tenant ID that was refused. Null if the whole call was refused, or if the "
        "ID has more than 255 characters (see `path`)."
    )
    member: Member | None = strawberry.field(
        description="`offerImage` only: on CONFLICT, the existing membership, which is unchanged."
    )


def user_errors(info: Info, outcome: Outcome, image_id: str | None) -> list[UserError]:
    """Convert the refusals of an outcome, and log them for operators."""
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
