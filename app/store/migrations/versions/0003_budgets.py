"""The budgets of callers, which the workers on one PostgreSQL share. The embedded store does not use them.

The table is unlogged: no change of it waits for a disk or goes to a standby, and after a crash of the database all
begin anew with full budgets. Every row is updated about once a second, so half of each page is left free for that.
"""

import sqlalchemy as sa
from alembic import op

from app.columns import Timestamp

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("who", sa.String(255), primary_key=True),
        sa.Column("level", sa.Double, nullable=False),
        sa.Column("settled_at", Timestamp, nullable=False),
        prefixes=["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else [],
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE budget SET (fillfactor = 50)")
