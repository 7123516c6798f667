"""The words of the schema that come from the model, with what each of them means."""

from enum import Enum
from typing import Any

import strawberry

from app import errors, model
from app.events.feed import Gap


def _describe(words: type[Enum], description: str, **meanings: str) -> None:
    """Make the enum part of the schema. Every word needs its meaning here, or the import fails."""
    definition: Any = strawberry.enum(words, description=description)
    for value in definition.__strawberry_definition__.values:
        value.description = meanings[value.name]


_describe(
    model.MemberStatus,
    "The consumer's answer to an offer. The consumer may change it at any time, to any of these.",
    PENDING="Not answered yet, or put off. It never tells whether the consumer exists or has seen the offer.",
    ACCEPTED="The image appears in the consumer's image list.",
    REJECTED="The image stays out of the consumer's image list. The row remains until the owner revokes it.",
)
_describe(
    model.ImageVisibility,
    "Who may see an image.",
    PRIVATE="Only the owner. Memberships are kept but inert: they give nothing until the image is SHARED again.",
    SHARED="The owner, and the consumers it is offered to. The only visibility that takes offers.",
    COMMUNITY="Everyone who knows the ID; it appears in nobody else's image list.",
    PUBLIC="Everyone, and it appears in every image list. Set by operators only.",
)
_describe(
    model.ImageStatus,
    "Where an image is in its life. Sharing does not depend on it.",
    QUEUED="Announced; its data has not begun to arrive.",
    SAVING="Its data is arriving.",
    ACTIVE="Ready for use.",
    DEACTIVATED="Taken out of use by an operator: it can be seen and shared, but its data is withheld.",
)
_describe(
    model.ImageOrigin,
    "Where an image came from.",
    SNAPSHOT="Taken of a server; `serverId` names it.",
    IMPORT="Imported from an address; `sourceUrl` names it.",
)
_describe(
    model.OsType,
    "The family of the operating system in an image.",
    LINUX="A Linux distribution.",
    WINDOWS="A version of Windows.",
    OTHER="Anything else.",
)
_describe(
    model.ChangeKind,
    "What happened to a membership.",
    OFFERED="The producer offered the image: the membership began, PENDING.",
    ANSWERED="The consumer answered: the status changed.",
    REVOKED="The producer or an operator ended the membership.",
    IMAGE_DELETED="The image was deleted, which ended the membership.",
)
_describe(
    model.ImageChangeKind,
    "What happened to an image, as the caller is told of it.",
    REGISTERED="The caller's tenant registered the image.",
    CHANGED="Its status, its visibility or both changed. For a consumer it is the last word when the image is no "
    "longer SHARED.",
    ACCESS_GAINED="The image was offered to the caller, or is SHARED again.",
    ACCESS_LOST="The caller's membership was revoked, or the image is PRIVATE now.",
    DELETED="The image is gone.",
)
_describe(
    Gap,
    "Why a watch can't go on from its cursor.",
    EXPIRED="The log does not reach back so far any more.",
    EPOCH_CHANGED="The log was replaced, as by a restored backup.",
    AHEAD_OF_LOG="The cursor is of the future: the log has lost its end.",
    ACCESS_CHANGED="The caller has become an operator, or is one no longer.",
    SNAPSHOT_INCOMPLETE="The cursor is from inside a snapshot, which begins again.",
)
definition: Any = Gap
definition.__strawberry_definition__.name = "WatchResetReason"
_describe(
    errors.UserErrorCode,
    "Why a mutation was refused. The list may grow; no code is ever renamed.",
    NOT_FOUND="The object does not exist, or the caller may not know that it does; the two are never told apart.",
    FORBIDDEN="The caller can see the object but may not do this, by its tenant, its role or a flag of the image.",
    CONFLICT="The caller may, but the present state does not allow it.",
    BAD_USER_INPUT="The input is malformed; `path` leads to the value.",
    LIMIT_EXCEEDED="A quota is full.",
)
