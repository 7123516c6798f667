"""The inputs of the mutations."""

from typing import Any

import strawberry
from strawberry import UNSET

from app.api.types.scalars import ByteCount
from app.model import ImageOrigin, ImageStatus, ImageVisibility, OsType

_NAME = "Name of the image, 1 to 255 characters: not only invisible ones, and none that changes the text direction."
_EXTERNAL_ID = "ID of the image in the owner's own catalogue, 1 to 255 characters."
_NOT_COLUMNS = {"id", "client_mutation_id", "idempotency_key"}


def _key() -> Any:
    return strawberry.field(
        default=None,
        description="Makes retries safe, 1 to 255 characters, private to the caller's tenant. For 24 hours, the same "
        "key with the same input changes nothing and returns the recorded outcome with the current state of its "
        "objects; with a different input it is refused with BAD_USER_INPUT.",
    )


def _echo() -> Any:
    return strawberry.field(default=None, description="Returned unchanged in the payload; at most 255 characters.")


def _optional_change(description: str, clearing: str = "null is refused") -> Any:
    return strawberry.field(default=UNSET, description=f"{description} Absent: unchanged; {clearing}.")


@strawberry.input(description="A new image of the caller's tenant.")
class RegisterImageInput:
    name: str = strawberry.field(description=_NAME)
    origin: ImageOrigin = strawberry.field(description="Where the image came from.")
    external_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description=f"{_EXTERNAL_ID} One that another image of the tenant has is a CONFLICT."
    )
    server_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="ID of the server of which the snapshot was taken, 1 to 255 characters. Required for SNAPSHOT, "
        "refused for IMPORT.",
    )
    source_url: str | None = strawberry.field(
        default=None,
        description="The http or https URL from which the image was imported, at most 2048 characters, without a "
        "password because consumers can read it. Required for IMPORT, refused for SNAPSHOT.",
    )
    status: ImageStatus = strawberry.field(
        default=ImageStatus.ACTIVE, description="Initial state: QUEUED, SAVING or ACTIVE."
    )
    visibility: ImageVisibility = strawberry.field(
        default=ImageVisibility.SHARED, description="Who may see the image. Only operators may set PUBLIC."
    )
    size_bytes: ByteCount | None = strawberry.field(default=None, description="Size of the data in bytes.")
    min_disk_gb: int = strawberry.field(default=0, description="Minimum disk size of a server, in GB.")
    min_ram_mb: int = strawberry.field(default=0, description="Minimum memory of a server, in MB.")
    os_type: OsType | None = strawberry.field(default=None, description="Operating system family.")
    checksum: str | None = strawberry.field(
        default=None, description="Checksum of the data, 1 to 255 characters, such as `sha256:9f86d0...`."
    )
    tags: list[str] = strawberry.field(
        default_factory=list,
        description="Up to 50 distinct tags, each 1 to 255 characters, together at most 4096 bytes of UTF-8.",
    )
    protected: bool = strawberry.field(default=False, description="Whether to protect the image from deletion.")
    hidden: bool = strawberry.field(default=False, description="Whether to leave the image out of image lists.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(
    description="Changes to an image. Absent fields stay unchanged; null clears a field that may be empty."
)
class UpdateImageInput:
    id: strawberry.ID = strawberry.field(description="ID of the image.")
    name: str | None = _optional_change(_NAME)
    external_id: strawberry.ID | None = _optional_change(
        f"{_EXTERNAL_ID} One that another image of the owner has is a CONFLICT.", "null clears it"
    )
    status: ImageStatus | None = _optional_change(
        "The next state. Owners go from QUEUED to SAVING to ACTIVE, operators from ACTIVE to DEACTIVATED and back. "
        "Any other transition is a CONFLICT."
    )
    visibility: ImageVisibility | None = _optional_change(
        "Who may see the image; only operators may set PUBLIC. Leaving SHARED makes its memberships inert. Returning "
        "to SHARED restores them with their status, so check `members` first."
    )
    size_bytes: ByteCount | None = _optional_change("Size of the data in bytes.", "null clears it")
    min_disk_gb: int | None = _optional_change("Minimum disk size of a server, in GB.")
    min_ram_mb: int | None = _optional_change("Minimum memory of a server, in MB.")
    os_type: OsType | None = _optional_change("Operating system family.", "null clears it")
    checksum: str | None = _optional_change("Checksum of the data, 1 to 255 characters.", "null clears it")
    tags: list[str] | None = _optional_change(
        "The new tags, which replace all others: up to 50 distinct tags, each 1 to 255 characters, together at most "
        "4096 bytes of UTF-8.",
        "null clears them",
    )
    protected: bool | None = _optional_change("Whether to protect the image from deletion.")
    hidden: bool | None = _optional_change("Whether to leave the image out of image lists.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(description="An image to delete. Its memberships end with it.")
class DeleteImageInput:
    id: strawberry.ID = strawberry.field(description="ID of the image.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(description="An image and the consumers to whom to offer it.")
class OfferImageInput:
    image_id: strawberry.ID = strawberry.field(description="ID of an image of the caller's tenant that is SHARED.")
    tenant_ids: list[strawberry.ID] = strawberry.field(
        description="Tenant IDs of 1 to 100 consumers, as they have given them to you. Each is offered or refused "
        "individually."
    )
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input
class AnswerOfferInput:
    """The part that the three answers share; not a type of the schema itself."""

    image_id: strawberry.ID = strawberry.field(description="ID of an image that is offered to the caller's tenant.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


@strawberry.input(description="An offer to accept.")
class AcceptOfferInput(AnswerOfferInput):
    pass


@strawberry.input(description="An offer to reject, or an accepted image to leave.")
class RejectOfferInput(AnswerOfferInput):
    pass


@strawberry.input(description="An offer to return to PENDING.")
class DeferOfferInput(AnswerOfferInput):
    pass


@strawberry.input(description="A membership to end.")
class RevokeMemberInput:
    image_id: strawberry.ID = strawberry.field(description="ID of the image.")
    tenant_id: strawberry.ID = strawberry.field(description="Tenant ID of the consumer.")
    idempotency_key: str | None = _key()
    client_mutation_id: str | None = _echo()


def columns(input: RegisterImageInput | UpdateImageInput) -> dict[str, Any]:
    """The image columns that the input sets."""
    columns = {name: value for name, value in vars(input).items() if name not in _NOT_COLUMNS and value is not UNSET}
    if columns.get("tags", ()) is None:
        columns["tags"] = []
    return columns
