"""What the mutations take."""

from typing import Any

import strawberry
from strawberry import UNSET

from app.api.types.scalars import ByteCount
from app.model import ImageOrigin, ImageStatus, ImageVisibility, OsType

_NAME = "What to call it; 1 to 255 characters, not all of them invisible, and none that changes the direction of text."
_NOT_COLUMNS = {"id", "client_mutation_id", "idempotency_key"}


def _key() -> Any:
    return strawberry.field(
        default=None,
        description="Makes a retry safe: for 24 hours the same key with the same input gives the recorded outcome, its "
        "objects as of now, and changes nothing. With another input it is BAD_USER_INPUT. 1 to 255 characters, "
        "private to the caller's tenant.",
    )


def _echo() -> Any:
    return strawberry.field(default=None, description="Comes back unchanged in the payload; at most 255 characters.")


def _kept(description: str, clearing: str = "null is refused") -> Any:
    return strawberry.field(default=UNSET, description=f"{description} Absent: it stays; {clearing}.")


@strawberry.input(description="A new image of the caller's tenant.")
class RegisterImageInput:
    name: str = strawberry.field(description=_NAME)
    origin: ImageOrigin = strawberry.field(description="Where it came from.")
    server_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The server it was taken of, 1 to 255 characters. Needed for SNAPSHOT, refused for IMPORT.",
    )
    source_url: str | None = strawberry.field(
        default=None,
        description="The http or https address it was imported from, at most 2048 characters and without a password, "
        "since consumers can read it. Needed for IMPORT, refused for SNAPSHOT.",
    )
    status: ImageStatus = strawberry.field(default=ImageStatus.ACTIVE, description="QUEUED, SAVING or ACTIVE.")
    visibility: ImageVisibility = strawberry.field(
        default=ImageVisibility.SHARED, description="Who may see it. PUBLIC is for operators."
    )
    size_bytes: ByteCount | None = strawberry.field(default=None, description="Size of the data in bytes.")
    min_disk_gb: int = strawberry.field(default=0, description="Disk in GB that a server needs at least.")
    min_ram_mb: int = strawberry.field(default=0, description="Memory in MB that a server needs at least.")
    os_type: OsType | None = strawberry.field(default=None, description="Family of the operating system.")
    checksum: str | None = strawberry.field(
        default=None, description="Checksum of the data, 1 to 255 characters, such as `sha256:9f86d0...`."
    )
    tags: list[str] = strawberry.field(
        default_factory=list,
        description="Up to 50 words, each 1 to 255 characters, none twice, and all together at most 4096 bytes of "
        "UTF-8.",
    )
    protected: bool = strawberry.field(default=False, description="Whether to refuse deleting it.")
    hidden: bool = strawberry.field(default=False, description="Whether to leave it out of image lists.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(description="Changes to an image. An absent field stays as it is; null clears what may be empty.")
class UpdateImageInput:
    id: strawberry.ID = strawberry.field(description="ID of the image.")
    name: str | None = _kept(_NAME)
    status: ImageStatus | None = _kept(
        "The next state: QUEUED to SAVING to ACTIVE by the owner, ACTIVE to DEACTIVATED and back by an operator. "
        "Any other "
        "step is a CONFLICT."
    )
    visibility: ImageVisibility | None = _kept(
        "Who may see it; PUBLIC is for operators. Leaving SHARED makes the memberships inert, coming back to SHARED "
        "revives "
        "them with their status: check `members` first."
    )
    size_bytes: ByteCount | None = _kept("Size of the data in bytes.", "null clears it")
    min_disk_gb: int | None = _kept("Disk in GB that a server needs at least.")
    min_ram_mb: int | None = _kept("Memory in MB that a server needs at least.")
    os_type: OsType | None = _kept("Family of the operating system.", "null clears it")
    checksum: str | None = _kept("Checksum of the data, 1 to 255 characters.", "null clears it")
    tags: list[str] | None = _kept(
        "The new tags, all of them: up to 50 words of 1 to 255 characters, none twice, and all together at most 4096 "
        "bytes of UTF-8.",
        "null clears them",
    )
    protected: bool | None = _kept("Whether to refuse deleting it.")
    hidden: bool | None = _kept("Whether to leave it out of image lists.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(description="An image to delete. Its memberships end with it.")
class DeleteImageInput:
    id: strawberry.ID = strawberry.field(description="ID of the image.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(description="An image to offer, and to whom.")
class OfferImageInput:
    image_id: strawberry.ID = strawberry.field(description="ID of an image of the caller's tenant that is SHARED.")
    tenant_ids: list[strawberry.ID] = strawberry.field(
        description="1 to 100 consumers by their tenant IDs, as they gave them to you. Each has an outcome of its own."
    )
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input
class AnswerOfferInput:
    """The part that the three answers share; not a type of the schema itself."""

    image_id: strawberry.ID = strawberry.field(description="ID of the image that is offered to the caller's tenant.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(description="An offer to accept.")
class AcceptOfferInput(AnswerOfferInput):
    pass


@strawberry.input(description="An offer to reject, or an accepted one to leave.")
class RejectOfferInput(AnswerOfferInput):
    pass


@strawberry.input(description="An offer to put back to PENDING.")
class DeferOfferInput(AnswerOfferInput):
    pass


@strawberry.input(description="A membership to end.")
class RevokeMemberInput:
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    tenant_id: strawberry.ID = strawberry.field(description="Tenant ID of the consumer.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


def columns(input: RegisterImageInput | UpdateImageInput) -> dict[str, Any]:
    """The image columns that the caller has given."""
    given = {name: value for name, value in vars(input).items() if name not in _NOT_COLUMNS and value is not UNSET}
    if given.get("tags", ()) is None:
        given["tags"] = []
    return given
