"""A worker or trainer that starts while PostgreSQL is away waits for it, and ends well when it is told to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from shared.db.engine import Database
from shared.db.tables import Worker
from shared.settings import Settings
from tests.chaos.proxy import Proxy, Wires
from tests.support.stack import process, wait_for

MODULES = ["services.worker", pytest.param("services.trainer", marks=pytest.mark.trainer)]


@pytest.fixture
def away(settings: Settings) -> Iterator[tuple[Proxy, Settings]]:
    """A database that takes no connections yet."""
    url = make_url(settings.database_url.get_secret_value())
    with Wires() as wires:
        proxy = wires.proxy(url.port or 0)
        proxy.refusing = True
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        yield proxy, settings.changed(database_url=SecretStr(through))


@pytest.mark.parametrize("module", MODULES)
def test_it_registers_when_the_database_comes(
    module: str, away: tuple[Proxy, Settings], database: Database, tmp_path: Path
) -> None:
    proxy, settings = away
    with process(settings, module, tmp_path / "log") as child:
        wait_for(lambda: b"not_registered" in child.log.read_bytes(), 60, "it notices")
        assert child.popen.poll() is None
        proxy.heal()
        wait_for(lambda: _registered(database) == 1, 60, "it registers")
        assert child.terminate() == 0


@pytest.mark.parametrize("module", MODULES)
def test_it_ends_well_without_ever_having_registered(module: str, away: tuple[Proxy, Settings], tmp_path: Path) -> None:
    with process(away[1], module, tmp_path / "log") as child:
        wait_for(lambda: b"not_registered" in child.log.read_bytes(), 60, "it notices")
        assert child.terminate() == 0


def _registered(database: Database) -> int:
    with database.begin() as session:
        return session.scalar(select(func.count()).select_from(Worker)) or 0
