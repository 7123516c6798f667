"""The enums of the model, with the descriptions of their values in the schema."""

from enum import Enum
from typing import Any

import strawberry

from app import errors, model
from app.events.cursor import Gap


def _describe(enum: type[Enum], description: str, **meanings: str) -> None:
    """Add the enum to the schema. The import fails if a value has no description."""
    definition: Any = strawberry.enum(enum, description=description)
    for value in definition.__strawberry_definition__.values:
        value.description = meanings[value.name]


_describe(
    model.MemberStatus,
    "The consumer's answer to an offer. The consumer may change it at any time, to any of these.",
    PENDING="Not answered yet, or deferred. It does not reveal whether the consumer exists or has seen the offer.",
    ACCEPTED="The image appears in the consumer's image list.",
    REJECTED="The image does not appear in the consumer's image list. The membership remains until the owner revokes "
    "it.",
)
_describe(
    model.ImageVisibility,
    "Who may see an image.",
    PRIVATE="Only the owner. Memberships are kept but inert: they grant no access until the image is SHARED again.",
    SHARED="The owner and the consumers to whom it is offered. Only SHARED images can be offered.",
    COMMUNITY="Everyone who knows the ID. It appears in the owner's image list only.",
    PUBLIC="Everyone. It appears in every image list. Only operators can make an image PUBLIC.",
)
_describe(
    model.ImageStatus,
    "The state of an image in its life cycle. An image can be shared in any state.",
    QUEUED="Registered; the upload of its data has not started.",
    UPLOADING="Its data is being uploaded to where it will be imported from. Only in front of a cloud.",
    IMPORTING="Its data is being imported. Only in front of a cloud.",
    SAVING="Its data is being uploaded.",
    ACTIVE="Ready for use.",
    DEACTIVATED="Disabled by an operator: it can be seen and shared, but its data can't be used.",
    KILLED="The upload of its data failed, so it can't be used. Only in front of a cloud.",
)
_describe(
    model.ImageOrigin,
    "Where an image came from.",
    SNAPSHOT="A snapshot of a server; `serverId` is its ID.",
    IMPORT="Imported from a URL; `sourceUrl` is that URL.",
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
    OFFERED="The producer offered the image; the membership starts as PENDING.",
    ANSWERED="The consumer answered, and the status changed.",
    REVOKED="The producer or an operator ended the membership.",
    IMAGE_DELETED="The image was deleted, which ended the membership.",
)
_describe(
    model.ImageChangeKind,
    "What happened to an image, from the caller's point of view.",
    REGISTERED="The caller's tenant registered the image.",
    CHANGED="Its status, its visibility or both changed. A consumer receives no further changes of an image that is "
    "no longer SHARED.",
    ACCESS_GAINED="The image was offered to the caller, or is SHARED again.",
    ACCESS_LOST="The caller's membership was revoked, or the image became PRIVATE.",
    DELETED="The image was deleted.",
)
_describe(
    Gap,
    "Why a watch can't continue from its cursor.",
    EXPIRED="The log no longer reaches back to the cursor.",
    EPOCH_CHANGED="The log was replaced, for example by a restored backup.",
    AHEAD_OF_LOG="The cursor is ahead of the log, which has lost its newest entries.",
    ACCESS_CHANGED="The caller has gained or lost the role operator.",
    SNAPSHOT_INCOMPLETE="The cursor is from inside a snapshot, which starts again.",
)
definition: Any = Gap
definition.__strawberry_definition__.name = "WatchResetReason"
_describe(
    errors.UserErrorCode,
    "Why a mutation was refused. New codes may be added; none is ever renamed.",
    NOT_FOUND="The object does not exist, or the caller may not see it. The two cases can't be distinguished.",
    FORBIDDEN="The caller can see the object but may not do this because of its tenant, its role or a flag of the "
    "image.",
    CONFLICT="The caller has the right, but the current state does not allow it.",
    BAD_USER_INPUT="The input is invalid; `path` points to the value.",
    LIMIT_EXCEEDED="A quota is exhausted.",
)
