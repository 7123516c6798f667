"""The log entries of each change: which parties hear of it, and what they may learn. Pure functions."""

from collections.abc import Iterable, Iterator, Sequence

from app.model import (
    Caller,
    ChangeKind,
    ImageChangeKind,
    ImageVisibility,
    LogEntry,
    MemberStatus,
    SeenImage,
    SeenMember,
)

Step = tuple[SeenMember, MemberStatus | None, MemberStatus | None]


def of_members(kind: ChangeKind, caller: Caller, image: SeenImage, steps: Iterable[Step]) -> list[LogEntry]:
    """One entry for each member's step between statuses, for its owner and consumer; None means "no row"."""
    return [
        LogEntry(
            image_id=image.id,
            owner_id=_owner(image),
            tenant_id=member.tenant_id,
            actor_id=caller.tenant_id,
            kind=kind,
            member_id=member.id,
            previous_status=before,
            status=after,
            image_status=image.status,
            visibility=image.visibility,
        )
        for member, before, after in steps
    ]


def of_found_member(owner: Caller, consumer: Caller, image: SeenImage, row: SeenMember) -> list[LogEntry]:
    """The entries of a member that was made elsewhere: its offer, and the answer to it if there is one."""
    entries = of_members(ChangeKind.OFFERED, owner, image, [(row, None, MemberStatus.PENDING)])
    if row.status is not MemberStatus.PENDING:
        entries += of_members(ChangeKind.ANSWERED, consumer, image, [(row, MemberStatus.PENDING, row.status)])
    return entries


def of_registration(caller: Caller, image: SeenImage) -> list[LogEntry]:
    return [_of_image(caller, image, _owner(image), ImageChangeKind.REGISTERED, None, image)]


def of_deletion(caller: Caller, image: SeenImage) -> list[LogEntry]:
    """The owner's entry. Consumers hear of the deletion by the end of their membership."""
    return [_of_image(caller, image, _owner(image), ImageChangeKind.DELETED, image, None)]


def of_update(caller: Caller, before: SeenImage, after: SeenImage, consumers: Sequence[str]) -> Iterator[LogEntry]:
    """One entry for each party of an image whose status or visibility has changed."""
    yield _of_image(caller, after, _owner(after), ImageChangeKind.CHANGED, before, after)
    kind = _for_consumers(before.visibility, after.visibility)
    if kind is None:
        return
    # A consumer that gains access does not learn the earlier state, and one that loses access not the new one.
    was = None if kind is ImageChangeKind.ACCESS_GAINED else before
    now = None if kind is ImageChangeKind.ACCESS_LOST else after
    for tenant_id in consumers:
        yield _of_image(caller, after, tenant_id, kind, was, now)


def _for_consumers(before: ImageVisibility, after: ImageVisibility) -> ImageChangeKind | None:
    """Memberships count only while the image is SHARED. A COMMUNITY or PUBLIC image stays visible to its members."""
    if before is ImageVisibility.SHARED:
        return ImageChangeKind.ACCESS_LOST if after is ImageVisibility.PRIVATE else ImageChangeKind.CHANGED
    return ImageChangeKind.ACCESS_GAINED if after is ImageVisibility.SHARED else None


def _of_image(
    caller: Caller,
    image: SeenImage,
    party: str,
    kind: ImageChangeKind,
    was: SeenImage | None,
    now: SeenImage | None,
) -> LogEntry:
    return LogEntry(
        image_id=image.id,
        owner_id=_owner(image),
        tenant_id=party,
        actor_id=caller.tenant_id,
        image_kind=kind,
        previous_image_status=was.status if was else None,
        image_status=now.status if now else None,
        previous_visibility=was.visibility if was else None,
        visibility=now.visibility if now else None,
    )


def _owner(image: SeenImage) -> str:
    assert image.owner_id is not None, "whoever may change an image sees its owner"
    return image.owner_id
