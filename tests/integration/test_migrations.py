"""Every migration goes up and down again, and together they make what `shared.db.tables` say."""

from alembic import command
from sqlalchemy import inspect

from shared.db.engine import Database
from shared.db.migrate import _config, is_current, upgrade
from shared.settings import Settings


def test_up_from_the_first_and_down_again(settings: Settings, database: Database) -> None:
    config = _config()
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "training_runs" not in inspect(connection).get_table_names()
    assert not is_current(database.engine)
    upgrade(settings)
    assert is_current(database.engine)
    assert "training_points" in inspect(database.engine).get_table_names()


def test_the_tables_are_what_the_migrations_make(settings: Settings, database: Database) -> None:
    config = _config()
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def test_down_to_nothing(settings: Settings, database: Database) -> None:
    config = _config()
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    upgrade(settings)
    assert is_current(database.engine)
