"""Operators' list of images, and the lists of all, find their pages by an index.

Made in one transaction with the rest, so PostgreSQL lets nobody write images or members meanwhile: they could not be
CONCURRENTLY.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("image_by_creation", "image", ["created_at", "id"])
    # With the image in it, an inbox is read from the index alone.
    op.drop_index("member_by_tenant", "member")
    op.create_index("member_by_tenant", "member", ["tenant_id", "status", "created_at", "id", "image_id"])
