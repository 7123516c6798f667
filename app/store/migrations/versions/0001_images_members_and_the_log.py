"""Images, members, and the log that numbers itself."""

import secrets

import sqlalchemy as sa
from alembic import op

from app.columns import Timestamp

revision = "0001"
down_revision = None

IMAGE_STATUS = ("QUEUED", "SAVING", "ACTIVE", "DEACTIVATED")
VISIBILITY = ("PRIVATE", "SHARED", "COMMUNITY", "PUBLIC")
IMAGE_CHANGES = ("REGISTERED", "CHANGED", "ACCESS_GAINED", "ACCESS_LOST", "DELETED")
STATUS = ("PENDING", "ACCEPTED", "REJECTED")
SQLITE_NUMBERING = """
CREATE TRIGGER number_event AFTER INSERT ON event BEGIN
    UPDATE event_head SET seq = seq + 1;
    UPDATE event SET seq = (SELECT seq FROM event_head) WHERE id = NEW.id;
END
"""
POSTGRES_FUNCTION = """
CREATE FUNCTION number_event() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    next_seq bigint;
BEGIN
    -- The row lock on the head lasts until this commit is visible, so numbers follow the order of commits.
    UPDATE event_head SET seq = seq + 1 RETURNING seq INTO next_seq;
    UPDATE event SET seq = next_seq WHERE id = NEW.id;
    RETURN NULL;
END
$body$
"""
POSTGRES_NUMBERING = """
CREATE CONSTRAINT TRIGGER number_event AFTER INSERT ON event
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION number_event()
"""


def word(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True)


def upgrade() -> None:
    _create_images()
    _create_members()
    _create_log()
    _create_outcomes()
    _number_the_log()


def _create_images() -> None:
    op.create_table(
        "image",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("owner_id", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("origin", word("imageorigin_word", "SNAPSHOT", "IMPORT"), nullable=False),
        sa.Column("server_id", sa.String(255)),
        sa.Column("source_url", sa.String(2048)),
        sa.Column("status", word("imagestatus_word", *IMAGE_STATUS), nullable=False),
        sa.Column(
            "visibility",
            word("imagevisibility_word", *VISIBILITY),
            nullable=False,
        ),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("min_disk_gb", sa.Integer, nullable=False),
        sa.Column("min_ram_mb", sa.Integer, nullable=False),
        sa.Column("os_type", word("ostype_word", "LINUX", "WINDOWS", "OTHER")),
        sa.Column("checksum", sa.String(255)),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
    )
    op.create_index("image_by_owner", "image", ["owner_id", "created_at", "id"])
    op.create_index("image_by_visibility", "image", ["visibility", "created_at", "id"])


def _create_members() -> None:
    op.create_table(
        "member",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("image_id", sa.String(36), sa.ForeignKey("image.id"), nullable=False),
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("status", word("memberstatus_word", *STATUS), nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
        sa.UniqueConstraint("image_id", "tenant_id", name="one_member_row_for_image_and_tenant"),
    )
    op.create_index("member_by_tenant", "member", ["tenant_id", "status", "created_at", "id"])
    covering = ["image_id", "created_at", "id", "tenant_id", "status", "updated_at"]
    op.create_index("member_by_image", "member", covering)


def _create_log() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("seq", sa.BigInteger, unique=True),
        sa.Column("occurred_at", Timestamp, nullable=False),
        sa.Column(
            "kind",
            word("changekind_word", "OFFERED", "ANSWERED", "REVOKED", "IMAGE_DELETED"),
        ),
        sa.Column("image_kind", word("imagechangekind_word", *IMAGE_CHANGES)),
        sa.Column("previous_status", word("previous_status_word", *STATUS)),
        sa.Column("status", word("status_word", *STATUS)),
        sa.Column("member_id", sa.String(36)),
        sa.Column("image_id", sa.String(36), nullable=False),
        sa.Column("owner_id", sa.String(255), nullable=False),
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("actor_id", sa.String(255), nullable=False),
        sa.Column("previous_image_status", word("previous_image_status_word", *IMAGE_STATUS)),
        sa.Column("image_status", word("image_status_word", *IMAGE_STATUS)),
        sa.Column("previous_visibility", word("previous_visibility_word", *VISIBILITY)),
        sa.Column("visibility", word("visibility_word", *VISIBILITY)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_occurred_at", "event", ["occurred_at"])
    op.create_index("event_by_owner", "event", ["owner_id", "seq"])
    op.create_index("event_by_tenant", "event", ["tenant_id", "seq"])


def _create_outcomes() -> None:
    op.create_table(
        "recorded_outcome",
        sa.Column("tenant_id", sa.String(255), primary_key=True),
        sa.Column("idempotency_key", sa.String(255), primary_key=True),
        sa.Column("input_hash", sa.String(64), nullable=False),
        sa.Column("outcome", sa.JSON, nullable=False),
        sa.Column("recorded_at", Timestamp, nullable=False),
    )
    op.create_index("ix_recorded_outcome_recorded_at", "recorded_outcome", ["recorded_at"])


def _number_the_log() -> None:
    head = op.create_table(
        "event_head",
        sa.Column("k", sa.Integer, sa.CheckConstraint("k = 1", name="one_row"), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.String(16), nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
    first = {"k": 1, "seq": 0, "floor": 0, "epoch": secrets.token_hex(8), "key": secrets.token_bytes(64)}
    op.bulk_insert(head, [first])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(SQLITE_NUMBERING)
        return
    # Every change updates the head: a low fill factor keeps those updates inside one page.
    op.execute("ALTER TABLE event_head SET (fillfactor = 10)")
    op.execute(POSTGRES_FUNCTION)
    op.execute(POSTGRES_NUMBERING)
