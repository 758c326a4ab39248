"""Alembic's entry: runs migrations in the transaction that `migrate.py` holds."""

from alembic import context

from tracklane_server.store.sql.migrate import VERSION_TABLE
from tracklane_server.store.sql.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
context.run_migrations()
