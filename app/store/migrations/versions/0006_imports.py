"""How far each file is imported, so that an interrupted import goes on where it stopped."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "file_import",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("lines", sa.BigInteger, nullable=False),
    )
