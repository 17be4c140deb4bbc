"""Every job that ended is counted once: whatever commits late, whoever counts, whenever it is killed."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import select, text

from shared.db.engine import Database
from shared.db.statements import rollups
from shared.db.tables import Reference, Rollup
from shared.measures import MEASURES
from shared.schemas import Modality
from shared.settings import Settings
from tests.support.ended import end, ended, version_of
from tests.support.rolling import rolled
from tests.support.stack import ROOT, Hospital, environment

COUGH = Modality.COUGH


@pytest.fixture
def version(database: Database, deployed: dict[Modality, str]) -> UUID:
    return version_of(database, COUGH)


def counts(database: Database, measure: str = "outcome", width: int = 86_400, **where: str) -> list[int]:
    """A measure's bins, added up."""
    query = select(Rollup.counts).where(Rollup.measure == measure, Rollup.width == width)
    with database.begin() as session:
        rows = session.scalars(query.filter_by(**where)).all()
    return [sum(bins) for bins in zip(*rows, strict=True)]


def test_what_became_of_jobs_is_counted_by_place(
    settings: Settings, database: Database, hospital: Hospital, version: UUID
) -> None:
    rows = [
        {"site": "A", "probability": 0.97, "decision": "flagged", "features": {"centroid": 799, "edge": 4000}},
        {"site": "A", "probability": 0.03, "decision": "not_flagged", "features": {"centroid": 800}},
        {"site": "B", "probability": 0.5, "decision": "refer"},
        {"state": "rejected"},
        {"state": "failed"},
        {"state": "dead"},
        {"state": "cancelled"},
    ]
    ended(database, hospital, version, rows, COUGH)
    assert rolled(settings) == len(rows)
    assert rolled(settings) == 0
    assert counts(database) == counts(database, width=3600) == [1, 1, 1, 1, 2]
    assert counts(database, site="A") == [1, 1, 0, 0, 0]
    assert counts(database, site="B") == [0, 0, 1, 0, 0]
    probability, edges = counts(database, "probability"), MEASURES["probability"].edges
    assert len(probability) == len(edges) + 1
    assert [place for place, count in enumerate(probability) if count] == [
        2,
        edges.index(0.5) + 1,
        edges.index(0.95) + 1,
    ]
    octaves = MEASURES["centroid"].edges.index(800)  # what lies on an edge belongs above it
    assert [place for place, count in enumerate(counts(database, "centroid")) if count] == [octaves, octaves + 1]
    assert sum(counts(database, "level")) == 0


def test_counts_of_many_steps_add_up(settings: Settings, database: Database, hospital: Hospital, version: UUID) -> None:
    for number in range(3):
        ended(database, hospital, version, [{"probability": number / 4} for _ in range(7)], COUGH)
    assert rolled(settings, lambda rolling: rolling.roll(most=5)) == 21
    assert counts(database)[0] == sum(counts(database, "probability")) == 21


def test_a_late_commit_is_not_passed_over(
    settings: Settings, database: Database, hospital: Hospital, version: UUID
) -> None:
    with database.begin() as late:
        end(late, hospital, version, [{"site": "late"}], COUGH)
        ended(database, hospital, version, [{"site": "early"}], COUGH)
        assert rolled(settings) == 0  # a transaction that began before is still open: nothing is final
    assert rolled(settings) == 2
    assert counts(database, site="late") == counts(database, site="early") == [1, 0, 0, 0, 0]


def test_a_job_that_is_tried_again_is_counted_for_each_end(
    settings: Settings, database: Database, hospital: Hospital, version: UUID
) -> None:
    [job] = ended(database, hospital, version, [{"state": "failed"}], COUGH)
    rolled(settings)
    with database.begin() as session:
        session.execute(text("UPDATE jobs SET state = 'queued', finished_at = NULL WHERE id = :job"), {"job": job})
        assert session.scalar(text("SELECT ended_in FROM jobs WHERE id = :job"), {"job": job}) is None
    assert rolled(settings) == 0
    with database.begin() as session:
        session.execute(text("UPDATE jobs SET state = 'dead', finished_at = now() WHERE id = :job"), {"job": job})
    assert rolled(settings) == 1
    assert counts(database) == [0, 0, 0, 0, 2]


def test_only_one_counts_at_a_time(settings: Settings, database: Database, hospital: Hospital, version: UUID) -> None:
    ended(database, hospital, version, [{}], COUGH)
    with database.begin() as other:
        other.execute(text("SELECT FROM watermarks FOR UPDATE"))
        assert rolled(settings) == 0
    assert rolled(settings) == 1


_COUNTER = """
from shared.db.engine import async_engine
from shared.settings import Settings

async def run():
    rolling = Rolling(Settings(), async_engine(Settings()))
    while True:
        await rolling.roll(most=3)

print("counting", flush=True)
asyncio.run(run())
"""


def test_a_kill_between_counts_nothing_twice_and_loses_nothing(
    settings: Settings, database: Database, hospital: Hospital, version: UUID
) -> None:
    ended(database, hospital, version, [{"site": f"{number % 5}"} for number in range(400)], COUGH)
    for moment in (0.02, 0.05, 0.09, 0.14):
        child = subprocess.Popen(
            [sys.executable, "-c", _COUNTER], cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=60)
        child.stdout.close()
    rolled(settings)
    assert counts(database) == counts(database, width=3600) == [400, 0, 0, 0, 0]


def test_a_reference_is_the_first_results_of_each_place_and_then_stays(
    settings: Settings, database: Database, hospital: Hospital, version: UUID
) -> None:
    settings = settings.changed(drift_reference=4)
    first = [{"site": "A", "probability": 0.12}, {"state": "rejected", "site": "A"}, {"site": "B", "probability": 0.12}]
    ended(database, hospital, version, first, COUGH)
    rolled(settings)
    ended(database, hospital, version, [{"site": "A", "probability": 0.92}] * 9, COUGH)
    rolled(settings)
    ended(database, hospital, version, [{"state": "rejected", "site": "A"}] * 3, COUGH)
    rolled(settings)
    with database.begin() as session:
        kept = {
            (row.site, row.device, row.measure): row.counts
            for row in session.scalars(select(Reference).where(Reference.version_id == version))
        }
    edges = MEASURES["probability"].edges
    low, high = edges.index(0.1) + 1, edges.index(0.9) + 1
    everywhere = kept["", "", "probability"]
    assert (everywhere[low], everywhere[high], sum(everywhere)) == (2, 2, 4)
    assert kept["", "", "outcome"] == [4, 0, 0, 1, 0]
    assert sum(kept["A", "", "probability"]) == 4
    assert sum(kept["B", "", "probability"]) == 1


def test_hours_and_days_are_those_of_the_end(
    settings: Settings, database: Database, hospital: Hospital, version: UUID
) -> None:
    ended(database, hospital, version, [{"ago": 0}, {"ago": 3 * 86_400}], COUGH)
    rolled(settings)
    with database.begin() as session:
        hours = session.scalars(select(Rollup.since).where(Rollup.measure == "outcome", Rollup.width == 3600)).all()
    now = datetime.now(UTC)
    assert sorted((now - since).days for since in hours) == [0, 3]
    assert all(since.minute == since.second == 0 for since in hours)


def test_hours_are_forgotten_and_days_stay(
    settings: Settings, database: Database, hospital: Hospital, version: UUID
) -> None:
    ended(database, hospital, version, [{"ago": 0}, {"ago": 20 * 86_400}], COUGH)
    rolled(settings)
    with database.begin() as session:
        assert session.execute(rollups.forget(14, 1)).rowcount == 1
        assert session.execute(rollups.forget(14, 100)).rowcount == 2
        assert session.execute(rollups.forget(14, 100)).rowcount == 0
    assert (counts(database, width=3600)[0], counts(database)[0]) == (1, 2)
