"""The statements behind runs: one owner at a time, no writes by a zombie, dead after three lost leases."""

from uuid import UUID

import pytest
from sqlalchemy import text

from shared.db.engine import Database
from shared.db.statements import training
from shared.db.tables import TrainingRun, Worker, new_id
from shared.schemas import RunState
from tests.support.stack import Hospital


@pytest.fixture
def worker(database: Database) -> UUID:
    with database.begin() as session:
        row = Worker(id=new_id(), host="test", pid=1, modalities=[], report={})
        session.add(row)
    return row.id


@pytest.fixture
def run(database: Database, hospital: Hospital) -> UUID:
    with database.begin() as session:
        owner = {"tenant_id": hospital.tenant_id, "principal_id": hospital.principal_id}
        row = TrainingRun(recipe="cough/mlp", mode="sound", seed=1, dataset="d", name="n", options={}, **owner)
        session.add(row)
    return row.id


def execute(database: Database, statement: object) -> list:
    with database.begin() as session:
        return session.execute(statement).all()  # type: ignore[call-overload]


def lapse(database: Database) -> None:
    with database.begin() as session:
        session.execute(text("UPDATE training_runs SET lease_until = now() - interval '1 second'"))


def test_one_owner_at_a_time(database: Database, worker: UUID, run: UUID) -> None:
    (held,) = execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"]))
    assert (held.id, held.fence, held.attempts, held.publisher) == (run, 1, 1, "north/pacs")
    assert execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"])) == []
    assert execute(database, training.heartbeat(run, 1, 10))
    assert execute(database, training.reap(3, "lost")) == []


def test_a_zombie_writes_nothing(database: Database, worker: UUID, run: UUID) -> None:
    execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"]))
    lapse(database)
    assert [row.state for row in execute(database, training.reap(3, "lost"))] == ["queued"]
    (again,) = execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"]))
    assert (again.fence, again.attempts) == (2, 2)
    assert execute(database, training.heartbeat(run, 1, 10)) == []
    assert execute(database, training.progress(run, 1, "fold 1/2", 1, 2, None)) == []
    assert execute(database, training.finish(run, 1, RunState.FAILED, code="x", detail="y")) == []
    assert execute(database, training.give_back(run, 1)) == []
    assert execute(database, training.finish(run, 2, RunState.FAILED, code="x", detail="y"))


def test_dead_after_three_lost_leases(database: Database, worker: UUID, run: UUID) -> None:
    for state in ("queued", "queued", "dead"):
        execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"]))
        lapse(database)
        assert [row.state for row in execute(database, training.reap(3, "lost"))] == [state]
    assert execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"])) == []


def test_who_was_cancelled_cannot_publish(database: Database, hospital: Hospital, worker: UUID, run: UUID) -> None:
    execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"]))
    assert execute(database, training.cancel(new_id(), run)) == [], "another hospital's"
    assert execute(database, training.cancel(hospital.tenant_id, run))
    assert execute(database, training.finish(run, 1, RunState.SUCCEEDED)) == []
    assert execute(database, training.open_among([run])) == []
    assert execute(database, training.retry(hospital.tenant_id, run))
    (again,) = execute(database, training.claim(worker, 10, ["cough/mlp"], ["d"]))
    assert (again.fence, again.attempts) == (3, 1)
