"""Alembic's entry. The runner hands over an open connection, so the URL never passes through an ini file."""

from __future__ import annotations

from alembic import context

from store.search import declared
from store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table in place: batch mode copies it
    compare_type=True,
    include_name=declared,
)
with context.begin_transaction():
    context.run_migrations()
