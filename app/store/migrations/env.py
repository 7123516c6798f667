"""Run by alembic, on the connection that `app.store.migrate` hands over."""

from alembic import context

from app import model
from app.store import imports as imports
from app.store import mirror_tables as mirror_tables  # its tables belong to the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=model.SQLModel.metadata,
    render_as_batch=True,
)
context.run_migrations()
