"""Whose turn it is: shares, no starvation, deadlines, and that no claim mixes anything."""

import itertools
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text, update

from services.worker.claims import Claims
from shared.db.engine import Database
from shared.db.statements import claims as statements
from shared.db.statements import turns
from shared.db.tables import Claim, Job, Tenant, Version, Worker, new_id
from shared.deployments import publish
from shared.registry import store
from shared.schemas import Modality
from shared.settings import Settings
from tests.support.stack import Hospital
from tests.support.versions import tiny

pytestmark = pytest.mark.usefixtures("deployed")
SIZE = 8
AGEING = 3600.0
NOW = datetime.now(UTC)


class Queue:
    """Claims as a worker does, without computing anything."""

    def __init__(self, database: Database) -> None:
        self.database, self.worker = database, new_id()
        with database.begin() as session:
            session.execute(insert(Worker).values(id=self.worker, host="h", pid=1, modalities=["cough"], report={}))

    def claim(self, refused: tuple[UUID, ...] = (), ageing: float = AGEING, size: int = SIZE) -> list[Any]:
        """Rows of the next claim; empty when nothing waits."""
        with self.database.begin() as session:
            return list(session.execute(turns.claim(self.worker, list(Modality), size, 60.0, ageing, refused)))

    def counts(self, claims: int, **how: Any) -> Counter[Any]:
        """Jobs taken by hospital and class in so many claims."""
        taken: Counter[Any] = Counter()
        for _ in range(claims):
            rows = self.claim(**how)
            assert rows
            taken[rows[0].tenant_id] += len(rows)
        return taken


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


@pytest.fixture
def south(settings: Settings, database: Database) -> Hospital:
    return Hospital(settings, database, "south")


def put(hospital: Hospital, count: int, priority: str = "routine", **fields: Any) -> list[UUID]:
    return hospital.submit(b"RIFF", "audio/wav", Modality.COUGH, count, priority, **fields)


def weigh(database: Database, hospital: Hospital, weight: float) -> None:
    with database.begin() as session:
        session.execute(update(Tenant).where(Tenant.id == hospital.tenant_id).values(weight=weight))


def test_shares_follow_the_weights(queue: Queue, database: Database, hospital: Hospital, south: Hospital) -> None:
    weigh(database, south, 2.0)
    put(hospital, 300)
    put(south, 600)
    taken = queue.counts(60)
    assert taken[hospital.tenant_id] + taken[south.tenant_id] == 60 * SIZE
    assert abs(taken[south.tenant_id] - 2 * taken[hospital.tenant_id]) <= 3 * SIZE


def test_small_claims_count_as_little(queue: Queue, hospital: Hospital, south: Hospital) -> None:
    """By service received, not by turns: who takes one at a time takes more often."""
    put(hospital, 200)
    put(south, 200, solo=True)
    taken = queue.counts(100)
    assert abs(taken[south.tenant_id] - taken[hospital.tenant_id]) <= 2 * SIZE


def test_idle_hospitals_save_nothing_up(queue: Queue, hospital: Hospital, south: Hospital) -> None:
    """Nor does it count against one that it had the service to itself."""
    put(hospital, 800)
    put(south, SIZE)
    queue.counts(50)
    put(south, 400)
    taken = queue.counts(20)
    assert abs(taken[south.tenant_id] - taken[hospital.tenant_id]) <= 2 * SIZE


def test_a_lease_reaches_no_further_than_its_claims_end_allows(
    queue: Queue, database: Database, hospital: Hospital
) -> None:
    """Though a heartbeat comes between the beginning of the transaction that ends the claim and that statement."""
    (job,) = put(hospital, 1)
    claim = queue.claim()[0].claim_id
    with database.begin() as ending:
        ending.execute(
            update(Job).where(Job.id == job).values(state="succeeded", claim_id=None, finished_at=func.now())
        )
        time.sleep(0.01)
        with database.begin() as other:
            assert other.execute(statements.heartbeat(claim, 60.0)).all()
        assert ending.execute(statements.end_claim(claim)).all()
    with database.begin() as session:
        held = session.get_one(Claim, claim)
        assert held.ended_at is not None
        assert held.lease_until <= held.ended_at + timedelta(seconds=60)


def test_urgency_goes_first_whatever_the_modality(queue: Queue, hospital: Hospital, south: Hospital) -> None:
    put(hospital, 3 * SIZE, "bulk")
    put(hospital, SIZE)
    (urgent,) = south.submit(b"P", "image/png", Modality.CHEST_XRAY, 1, "stat")
    assert [row.id for row in queue.claim()] == [urgent]
    assert [hospital.job(queue.claim()[0].id).priority for _ in range(2)] == [1, 2]


def test_no_class_starves(queue: Queue, database: Database, hospital: Hospital, south: Hospital) -> None:
    """A class that waits gets its claim every so often, behind however much of a more urgent one, and no more."""
    old = put(south, 10 * SIZE, "bulk")
    put(hospital, 20 * SIZE)
    assert queue.counts(5)[hospital.tenant_id] == 5 * SIZE
    with database.begin() as session:
        session.execute(update(Job).where(Job.id.in_(old)).values(created_at=NOW - timedelta(hours=2)))
    taken = queue.counts(10)
    assert (taken[south.tenant_id], taken[hospital.tenant_id]) == (SIZE, 9 * SIZE)
    with database.begin() as session:
        session.execute(text("UPDATE claims SET started_at = now() - interval '2 hours' WHERE priority = 2"))
    assert queue.counts(1)[south.tenant_id] == SIZE


def test_every_hospital_of_many_is_served(settings: Settings, database: Database, queue: Queue) -> None:
    hospitals = [Hospital(settings, database, f"h{i}") for i in range(12)]
    for one in hospitals:
        put(one, 40)
    taken = queue.counts(24)
    assert {taken[one.tenant_id] for one in hospitals} == {2 * SIZE}


def test_a_lane_is_served_oldest_first(queue: Queue, hospital: Hospital) -> None:
    ids = put(hospital, 3 * SIZE)
    taken = [row.id for _ in range(3) for row in queue.claim()]
    assert taken == ids


def test_what_may_not_begin_yet_waits(queue: Queue, hospital: Hospital) -> None:
    put(hospital, 2 * SIZE, not_before=NOW + timedelta(hours=1))
    due = put(hospital, 2, not_before=NOW - timedelta(hours=1))
    assert {row.id for row in queue.claim()} == set(due)
    assert queue.claim() == []


def test_refused_versions_hide_nothing(
    queue: Queue, settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    other = second_version(settings, database, tmp_path)
    put(hospital, 5 * SIZE, requested_id=other)
    fine = put(hospital, 3)
    assert [row.id for row in queue.claim(refused=(other,))] == fine
    assert queue.claim(refused=(other,)) == []
    assert {row.version_id for row in queue.claim()} == {other}


def test_no_claim_mixes(queue: Queue, settings: Settings, database: Database, tmp_path: Path) -> None:
    other = second_version(settings, database, tmp_path)
    hospitals = [Hospital(settings, database, name) for name in ("north", "south")]
    kinds = itertools.product(hospitals, ("stat", "routine", "bulk"), (None, other))
    for one, priority, wanted in list(kinds) * 5:
        put(one, 2, priority, requested_id=wanted)
    while rows := queue.claim():
        ids = [row.id for row in rows]
        with database.begin() as session:
            jobs = session.scalars(select(Job).where(Job.id.in_(ids))).all()
        assert len({(job.tenant_id, job.modality, job.priority, job.version_id, job.requested_id) for job in jobs}) == 1
        assert all(job.requested_id in (None, job.version_id) for job in jobs)


def test_claims_at_once_share_nothing(queue: Queue, database: Database, hospital: Hospital, south: Hospital) -> None:
    ids = set(put(hospital, 400) + put(south, 400))
    taken: list[UUID] = []

    def work() -> None:
        own, misses = Queue(database), 0
        while misses < 5:
            rows = [row for row in own.claim() if row.id]
            misses = 0 if rows else misses + 1
            taken.extend(row.id for row in rows)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(ids)
    assert set(taken) == ids


def test_overdue_jobs_end_at_the_claim(
    queue: Queue, settings: Settings, database: Database, hospital: Hospital
) -> None:
    """However many lie in front, and without computing them."""
    late = put(hospital, 5 * SIZE, not_after=NOW - timedelta(seconds=1))
    good = put(hospital, 3, not_after=NOW + timedelta(hours=1))
    claim = Claims(settings.changed(claim_size=SIZE), database, queue.worker).take([])
    assert claim is not None
    assert [job.id for job in claim.jobs] == good
    assert hospital.states(late) == {"failed": len(late)}
    assert {hospital.job(i).code for i in late} == {"deadline"}


def test_overdue_jobs_that_nobody_claims_end_too(database: Database, hospital: Hospital) -> None:
    late = put(hospital, 4, not_after=NOW - timedelta(seconds=1))
    good = put(hospital, 2)
    with database.begin() as session:
        session.execute(statements.expire("too late"))
    assert hospital.states(late) == {"failed": 4}
    assert hospital.states(good) == {"queued": 2}


def test_recalled_versions_are_not_computed(
    queue: Queue, settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    other = second_version(settings, database, tmp_path)
    jobs = put(hospital, 3, requested_id=other)
    with database.begin() as session:
        session.execute(update(Version).where(Version.id == other).values(recalled_at=func.now()))
    assert Claims(settings, database, queue.worker).take([]) is None
    assert {(hospital.job(i).state, hospital.job(i).code) for i in jobs} == {("failed", "version_recalled")}


def second_version(settings: Settings, database: Database, folder: Path) -> UUID:
    artefact = store(tiny(folder / "second", Modality.COUGH, "tiny-2", bias=2.0), settings.versions_dir)
    with database.begin() as session:
        return publish(session, artefact, "test").id
