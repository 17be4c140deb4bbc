"""Brings the database up to date: `python -m shared.db.migrate`. Safe to run from several processes at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from shared.db.engine import sync_engine
from shared.db.statements import order
from shared.settings import Settings


def upgrade(settings: Settings) -> None:
    """Run every migration that is missing; after a restore, let the order of ends go on."""
    engine = sync_engine(settings)
    try:
        with engine.connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        with engine.begin() as connection:
            connection.execute(order.go_on())
    finally:
        engine.dispose()


def is_current(engine: Engine) -> bool:
    """Whether the schema is the one that this code expects."""
    with engine.connect() as connection:
        heads = MigrationContext.configure(connection).get_current_heads()
    return set(heads) == set(ScriptDirectory.from_config(_config()).get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


if __name__ == "__main__":
    upgrade(Settings())
