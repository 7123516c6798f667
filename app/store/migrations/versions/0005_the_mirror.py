"""The state of each image of an upstream, beside its row. Without an upstream the table stays empty."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "mirrored_image",
        sa.Column("image_id", sa.String(36), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("marks", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
    )
    marked = sa.text("marks > seen")
    op.create_index(
        "mirrored_image_marked", "mirrored_image", ["image_id"], sqlite_where=marked, postgresql_where=marked
    )
    op.create_table(
        "mirror_leader",
        sa.Column("k", sa.Integer, primary_key=True),
        sa.Column("holder", sa.String(36), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("polled", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO mirror_leader (k, holder, until, polled) VALUES (1, '', 0, 0)")
