"""The states and formats that an image has in Glance."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BEFORE = "'QUEUED', 'SAVING', 'ACTIVE', 'DEACTIVATED'"
_NOW = "'QUEUED', 'UPLOADING', 'IMPORTING', 'SAVING', 'ACTIVE', 'DEACTIVATED', 'KILLED'"
_CHECKS = {
    "imagestatus_word": ("image", "status"),
    "previous_image_status_word": ("event", "previous_image_status"),
    "image_status_word": ("event", "image_status"),
}


def upgrade() -> None:
    for name in ("disk_format", "container_format"):
        op.add_column("image", sa.Column(name, sa.String(255)))
    if op.get_bind().dialect.name == "sqlite":
        _widen_in_place()
        return
    for name, (table, column) in _CHECKS.items():
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, f"{column} IN ({_NOW})")


def _widen_in_place() -> None:
    """Change the text of the tables, as SQLite's manual of ALTER TABLE describes it: the rows stay as they are."""
    version = op.get_bind().scalar(sa.text("PRAGMA schema_version"))
    op.execute("PRAGMA writable_schema = ON")
    changed = "UPDATE sqlite_master SET sql = replace(sql, :before, :now) WHERE name IN ('image', 'event')"
    op.get_bind().execute(sa.text(changed), {"before": _BEFORE, "now": _NOW})
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = RESET")
