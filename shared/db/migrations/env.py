"""Alembic's entry: runs on the connection that `shared.db.migrate` hands over."""

from alembic import context
from sqlalchemy import text

from shared.db.engine import sync_engine
from shared.db.tables import Base
from shared.settings import Settings

MIGRATION_LOCK = 7402_1120


def run(connection) -> None:  # type: ignore[no-untyped-def]
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        # Two processes that start together migrate one after the other.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with sync_engine(Settings()).connect() as own:
        run(own)
