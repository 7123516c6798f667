"""The ID that an image has in its owner's catalogue; no two images of an owner have the same."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("image", sa.Column("external_id", sa.String(255)))
    present = sa.text("external_id IS NOT NULL")
    # No image has one yet, so the index is empty, and on PostgreSQL made by one look through the table.
    op.create_index(
        "image_by_external_id",
        "image",
        ["external_id", "owner_id"],
        unique=True,
        sqlite_where=present,
        postgresql_where=present,
    )
