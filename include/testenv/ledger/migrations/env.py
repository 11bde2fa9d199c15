"""Alembic's entry: run the migrations on the ledger's own connection."""

from alembic import context
from sqlalchemy import create_engine

from testenv.ledger.tables import metadata

with create_engine(context.config.attributes["url"], future=True).begin() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    context.run_migrations()
