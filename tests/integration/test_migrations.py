"""Every migration goes up and down again, and together they make what `shared.db.tables` say."""

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text

from shared.db.engine import Database
from shared.db.migrate import _config, is_current, upgrade
from shared.schemas import Modality
from shared.settings import Settings
from tests.support.ended import ended, version_of
from tests.support.everything import one_of_everything
from tests.support.stack import Hospital


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


@pytest.mark.parametrize("release", ["0004", "0013", "0019"])
def test_rows_outlive_the_way_back_and_forth(
    settings: Settings, database: Database, hospital: Hospital, deployed: dict[Modality, str], release: str
) -> None:
    """What an earlier release has no place for is gone; its own tables keep every row."""
    ended(database, hospital, version_of(database, Modality.COUGH), [{}], Modality.COUGH)
    one_of_everything(database)
    config = _config()
    with database.engine.connect() as connection:
        before = _kept(connection)
        config.attributes["connection"] = connection
        command.downgrade(config, release)
    upgrade(settings)
    with database.engine.connect() as connection:
        assert _kept(connection) == before


def _kept(connection: Connection) -> dict[str, int]:
    tables = ("jobs", "results", "job_inputs", "feedback", "principals", "credentials", "versions", "training_runs")
    return {table: connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in tables}
