"""Recovery is told by rows: from the kill until the last job that was held is in other hands."""

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, update

from shared.db.engine import Database
from shared.db.tables import Claim, Job, JobEvent, Version, Worker, new_id
from shared.schemas import Modality
from tests.chaos.processes import Kill
from tests.chaos.recovery import percentile, recoveries
from tests.support.stack import Hospital

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
KILL = Kill("worker-1", 4711, "kill -9", NOON.timestamp())


@pytest.fixture
def held(database: Database, hospital: Hospital, deployed: dict[Modality, str]) -> list[UUID]:
    """Two jobs that a worker holds when it is killed at noon."""
    jobs = hospital.submit(b"RIFF", "audio/wav", Modality.COUGH, count=2)
    with database.begin() as session:
        version = session.query(Version).filter_by(modality="cough").one()
        worker = Worker(
            id=new_id(), host="h", pid=4711, modalities=[], report={}, started_at=NOON - timedelta(minutes=1)
        )
        session.add(worker)
        session.flush()
        claim = Claim(worker_id=worker.id, modality="cough", version_id=version.id, generation=1, lease_until=NOON)
        session.add(claim)
        session.flush()
        session.execute(update(Job).values(version_id=version.id))
    for job in jobs:
        _event(database, hospital, job, "running", -1, claim.id)
    return jobs


def test_the_last_job_counts(database: Database, hospital: Hospital, held: list[UUID]) -> None:
    for job, claimed in zip(held, (16, 19), strict=True):
        _event(database, hospital, job, "queued", 15)
        _event(database, hospital, job, "running", claimed)
    with database.begin() as session:
        assert recoveries(session, [KILL]) == [19.0]


def test_an_end_is_a_recovery_and_what_ended_before_was_not_held(
    database: Database, hospital: Hospital, held: list[UUID]
) -> None:
    _event(database, hospital, held[0], "succeeded", -0.5)
    _event(database, hospital, held[1], "cancelled", 4)
    with database.begin() as session:
        assert recoveries(session, [KILL]) == [4.0]


def test_a_job_that_never_came_back_took_for_ever(database: Database, hospital: Hospital, held: list[UUID]) -> None:
    _event(database, hospital, held[0], "dead", 3)
    with database.begin() as session:
        assert recoveries(session, [KILL]) == [math.inf]


def test_a_worker_that_held_nothing_is_left_out(database: Database, hospital: Hospital, held: list[UUID]) -> None:
    other = Kill("worker-2", 4712, "kill -9", NOON.timestamp())
    with database.begin() as session:
        assert recoveries(session, [other]) == []


def test_percentiles() -> None:
    values = [float(number) for number in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([], 0.5)) == (50.0, 95.0, 0.0)


def _event(
    database: Database, hospital: Hospital, job: UUID, state: str, seconds: float, claim: int | None = None
) -> None:
    row = {"tenant_id": hospital.tenant_id, "job_id": job, "from_state": None, "to_state": state, "cause": "test"}
    with database.begin() as session:
        session.execute(insert(JobEvent).values(**row, claim_id=claim, at=NOON + timedelta(seconds=seconds)))
