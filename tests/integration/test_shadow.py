"""A shadow computes what was answered already, after everything else, and costs no job anything."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from services.worker.deployed import Loaded
from services.worker.parts import Parts
from shared.db.engine import Database
from shared.db.tables import Job, Result, ShadowResult, Worker
from shared.deployments import STARTER, Why, find, publish, try_out
from shared.registry import store
from shared.runtimes import Floats, Pass
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import serving
from tests.integration.test_worker import cough
from tests.support.stack import Hospital
from tests.support.versions import tiny

pytestmark = pytest.mark.usefixtures("deployed")
COUGH = cough()


class Watched:
    """The real runtime of a version; `before` is called within each forward pass."""

    def __init__(self, loaded: Loaded, before: Callable[[], None]) -> None:
        self._loaded, self._before = loaded, before

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        return self.start(group).result()

    def start(self, group: Floats) -> Pass:
        self._before()
        return self._loaded.runtime.start(group)


class Bench:
    """A worker's parts in this process, and a second cough version, sealed in `folder`, that is its shadow."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        self.database, self.parts = database, Parts(settings)
        self.engine, self.before = self.parts.engine, lambda: None
        artefact = store(folder, settings.versions_dir)
        with database.begin() as session:
            session.execute(insert(Worker).values(id=self.parts.worker_id, host="h", pid=1, modalities=[], report={}))
            version = publish(session, artefact, "test")
            try_out(session, version, "shadow", 0.0, find(session, "cough").generation, Why("test", "beside"))
            self.shadow = version.id
        self.parts.deployed.follow()
        loaded = self.parts.deployed._loaded
        loaded[artefact.sha256] = replace(
            loaded[artefact.sha256], runtime=Watched(loaded[artefact.sha256], lambda: self.before())
        )

    def work(self) -> None:
        """Until nothing waits, the shadow's work too."""
        self.parts.shadow._looked = float("-inf")
        self.engine.drain()

    def rows(self) -> list[ShadowResult]:
        with self.database.begin() as session:
            return list(session.scalars(select(ShadowResult).order_by(ShadowResult.answered_at)))

    def results(self) -> dict[UUID, Result]:
        with self.database.begin() as session:
            return {row.job_id: row for row in session.scalars(select(Result))}

    def prepared(self) -> list[int]:
        """How many inputs were sent to children, one entry a call, from now on."""
        calls: list[int] = []
        put = self.parts.sandbox.put

        def counted(orders: Any, **how: Any) -> Any:
            calls.append(len(orders))
            return put(orders, **how)

        self.parts.sandbox.put = counted  # type: ignore[method-assign]
        return calls


@pytest.fixture
def worker(settings: Settings, database: Database, tmp_path: Path) -> Iterator[Bench]:
    with opened(settings, database, tiny(tmp_path / "shadow", Modality.COUGH, "tiny-s", bias=-1.0)) as bench:
        yield bench


@contextmanager
def opened(settings: Settings, database: Database, folder: Path) -> Iterator[Bench]:
    bench = Bench(settings, database, folder)
    try:
        yield bench
    finally:
        bench.engine.close(10)
        bench.parts.shadow.close()
        bench.parts.sandbox.close()
        bench.parts.database.close()


def coughs(hospital: Hospital, count: int, **fields: Any) -> list[UUID]:
    return hospital.submit(COUGH, "audio/wav", Modality.COUGH, count, **fields)


def test_what_was_answered_is_computed_and_reported(
    worker: Bench, hospital: Hospital, settings: Settings, database: Database
) -> None:
    ids = coughs(hospital, 20)
    worker.work()
    rows, results = worker.rows(), worker.results()
    assert {row.job_id for row in rows} == set(ids)
    assert all(row.score == pytest.approx(results[row.job_id].score - 1.0, abs=1e-5) for row in rows)
    assert {result.version_id for result in results.values()} != {worker.shadow}
    with serving(settings, database) as api:
        found = api.client(Role.ADMIN).get("/v1/deployments/cough/shadow")
        assert api.client(Role.CLINICIAN).get("/v1/deployments/cough/shadow").status_code == 403
        assert api.client(Role.ADMIN).get("/v1/deployments/lung_sound/shadow").json()["code"] == "no_shadow"
    report = found.json()
    assert (report["shadow"]["name"], report["active"]["name"]) == ("tiny-s", "tiny-1")
    assert (report["agreement"]["n"], report["unanswered"]) == (20, {})
    assert report["agreement"]["flips"]["to_not_flagged"] + report["agreement"]["flips"]["to_flagged"] in (0, 20)
    assert report["difference_quantiles"]["p50"] < 0


def test_what_is_read_alike_is_read_once(worker: Bench, hospital: Hospital) -> None:
    worker.work()  # it hears of the shadow
    calls = worker.prepared()
    coughs(hospital, 6)
    worker.work()
    assert sum(calls) == 6
    assert len([row for row in worker.rows() if row.decision]) == 6


def test_what_is_read_otherwise_is_read_again(settings: Settings, database: Database, hospital: Hospital) -> None:
    with opened(settings, database, STARTER / "cough") as worker:
        worker.work()  # it hears of the shadow
        calls = worker.prepared()
        ids = coughs(hospital, 4)
        worker.work()
        rows, results = worker.rows(), worker.results()
    assert sum(calls) == 8
    assert {row.job_id for row in rows if row.probability is not None} == set(ids)
    assert {row.score for row in rows}.isdisjoint({result.score for result in results.values()})


def test_a_child_killed_in_a_shadow_costs_no_job_anything(
    settings: Settings, database: Database, hospital: Hospital
) -> None:
    with opened(settings, database, STARTER / "cough") as worker:
        ids = coughs(hospital, 4)
        put, killed = worker.parts.sandbox.put, list[int]()

        def killing(orders: Any, **how: Any) -> Any:
            tasks = put(orders, **how)
            if not worker.engine.holding and not killed:
                killed.extend(child._process.pid for child in worker.parts.sandbox._children)
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)
            return tasks

        worker.parts.sandbox.put = killing  # type: ignore[method-assign]
        worker.work()
        rows = worker.rows()
        assert killed
        assert hospital.states(ids) == {"succeeded": 4}
        assert {hospital.job(i).attempts for i in ids} == {1}
        assert len([row for row in rows if row.decision]) == 4, "and the input runs again in a new child"


def test_a_job_that_comes_meanwhile_goes_first(worker: Bench, hospital: Hospital) -> None:
    late: list[UUID] = []

    def before() -> None:
        assert not worker.engine.holding, "no claim is held while a shadow computes"
        if not late:
            late.extend(coughs(hospital, 1))

    coughs(hospital, 8)
    worker.before = before
    worker.work()
    rows = worker.rows()
    answered = worker.results()[late[0]].created_at
    assert len([row for row in rows if row.finished_at and row.finished_at < answered]) <= 2
    assert len(rows) == 9


def test_an_error_costs_no_job_anything(worker: Bench, hospital: Hospital) -> None:
    def before() -> None:
        raise RuntimeError("shadow")

    ids = coughs(hospital, 4)
    worker.before = before
    worker.work()
    assert hospital.states(ids) == {"succeeded": 4}
    later = coughs(hospital, 2)
    worker.work()
    assert hospital.states(later) == {"succeeded": 2}
    assert {hospital.job(i).attempts for i in (*ids, *later)} == {1}
    assert not [row for row in worker.rows() if row.finished_at], "and what failed once is not tried again"


def test_a_worker_that_stops_leaves_the_rest_to_others(worker: Bench, hospital: Hospital) -> None:
    coughs(hospital, 10)
    worker.before = worker.engine.stopping.set
    worker.work()
    worker.parts.shadow.close()
    rows = worker.rows()
    assert all(row.finished_at for row in rows)
    assert 0 < len(rows) < 10


def test_off_and_a_share_of_them(worker: Bench, hospital: Hospital) -> None:
    shadow = worker.parts.shadow
    shadow._settings = shadow._settings.changed(shadow_share=0.0)
    coughs(hospital, 60)
    worker.work()
    assert worker.rows() == []
    shadow._settings = shadow._settings.changed(shadow_share=0.3)
    worker.work()
    assert 3 <= len(worker.rows()) <= 40, "of 60 a third is 18, give or take 4"


def test_an_input_that_is_gone_has_a_reason(worker: Bench, hospital: Hospital, settings: Settings) -> None:
    shadow = worker.parts.shadow
    shadow._settings = shadow._settings.changed(shadow_share=0.0)
    coughs(hospital, 1)
    worker.work()
    for blob in settings.blob_dir.rglob("*"):
        if blob.is_file():
            blob.unlink()
    shadow._settings = shadow._settings.changed(shadow_share=1.0)
    worker.work()
    (row,) = worker.rows()
    assert row.finished_at
    assert (row.decision, bool(row.code)) == (None, True)


def test_what_another_version_answered_is_left_alone(worker: Bench, hospital: Hospital, database: Database) -> None:
    coughs(hospital, 2, requested_id=worker.shadow)
    worker.work()
    assert worker.rows() == []
    with database.begin() as session:
        assert session.scalars(select(Job.state)).all() == ["succeeded"] * 2
