"""The engine's steps overlap, and whatever it holds goes back to where it belongs: by the order of events."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from services.worker import answers, predict
from services.worker.deployed import Loaded
from services.worker.pace import most
from services.worker.parts import Parts
from shared.db.engine import Database
from shared.db.statements import claims as statements
from shared.db.tables import Claim, Job, Result, Worker
from shared.runtimes import Floats, Pass
from shared.schemas import Modality
from shared.settings import Settings
from tests.integration.test_worker import cough
from tests.support.stack import Hospital, wait_for

pytestmark = pytest.mark.usefixtures("deployed")
COUGH = cough()
XRAY = (Path(__file__).parents[2] / "services/api/web/samples/chest_xray.png").read_bytes()
Hook = Callable[[int], Any]


class Bench:
    """A worker's parts in this process; `before` is called within each forward pass, with its number.

    `instead` may give another pass for a group of this size.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.parts, self.database, self._settings = Parts(settings), database, settings
        self.engine, self.sandbox = self.parts.engine, self.parts.sandbox
        self.before: Hook = lambda _: None
        self.instead: Hook = lambda _: None
        self.passes: list[tuple[str, int]] = []
        self._get = self.parts.deployed.get
        self.parts.deployed.get = self._watched  # type: ignore[method-assign]
        with database.begin() as session:
            session.execute(insert(Worker).values(id=self.parts.worker_id, host="h", pid=1, modalities=[], report={}))

    def _watched(self, sha256: str) -> Loaded:
        loaded = self._get(sha256)
        # As many as the settings allow, whatever is fastest here.
        pace = replace(loaded.pace, group=most(self._settings, loaded.card))
        return replace(loaded, runtime=Watched(self, loaded), pace=pace)

    def count(self, *where: Any, of: Any = Job) -> int:
        with self.database.begin() as session:
            return session.scalar(select(func.count()).select_from(of).where(*where)) or 0

    def children_answered(self) -> bool:
        """Whether the children have answered everything that was put into the sandbox."""
        children = self.sandbox._children
        return not self.sandbox._todo and all(not child.tasks or child.pipe.poll() for child in children)

    def reap(self) -> None:
        """What any worker does with claims whose lease ran out."""
        with self.database.begin() as session:
            session.execute(update(Claim).values(lease_until=text("now() - interval '1 second'")))
            session.execute(statements.reap(3, "lost"))


class Watched:
    """The real runtime of a version."""

    def __init__(self, bench: Bench, loaded: Loaded) -> None:
        self._bench, self._loaded = bench, loaded

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        return self.start(group).result()

    def start(self, group: Floats) -> Pass:
        self._bench.passes.append((self._loaded.card.modality, len(group)))
        self._bench.before(len(self._bench.passes) - 1)
        return self._bench.instead(len(group)) or self._loaded.runtime.start(group)


@pytest.fixture
def worker(settings: Settings, database: Database, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Claims and groups of two, or what the test says."""
    sizes = getattr(request, "param", {})
    bench = Bench(settings.changed(**{"claim_size": 2, "group_size": 2, "lease_s": 60.0, **sizes}), database)
    yield bench
    bench.engine.close(10)
    bench.sandbox.close()
    bench.parts.database.close()


def coughs(hospital: Hospital, count: int, priority: str = "routine") -> list:
    return hospital.submit(COUGH, "audio/wav", Modality.COUGH, count, priority)


def test_children_prepare_the_next_claim_meanwhile(worker: Bench, hospital: Hospital) -> None:
    def before(_: int) -> None:
        held.append(len(worker.engine.holding))
        wait_for(worker.children_answered, 60, "the next claim is prepared while this one is predicted")

    held: list[int] = []
    ids = coughs(hospital, 6)
    worker.before = before
    worker.engine.drain()
    assert hospital.states(ids) == {"succeeded": 6}
    assert held[0] == 2, "the next claim is taken before this one's last group is predicted"


def test_a_group_is_committed_while_the_next_is_predicted(
    worker: Bench, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = [threading.Event() for _ in range(4)]
    overlapped = []
    write = worker.engine._claims._write

    def late(*arguments: Any) -> Any:
        if len(overlapped) < 2:
            overlapped.append(begun[len(overlapped) + 1].wait(60))
        return write(*arguments)

    monkeypatch.setattr(worker.engine._claims, "_write", late)
    worker.before = lambda number: begun[number].set()
    ids = coughs(hospital, 6)
    worker.engine.drain()
    assert overlapped == [True, True]
    assert hospital.states(ids) == {"succeeded": 6}
    assert worker.engine.holding == {}


def test_a_group_is_begun_while_the_one_before_it_ends(
    worker: Bench, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = [threading.Event() for _ in range(3)]
    overlapped = []
    right = predict.Group.answers

    def late(group: predict.Group) -> predict.Answers:
        if len(overlapped) < 2:
            overlapped.append(begun[len(overlapped) + 1].wait(60))
        return right(group)

    monkeypatch.setattr(predict.Group, "answers", late)
    worker.before = lambda number: begun[number].set()
    ids = coughs(hospital, 6)
    worker.engine.drain()
    assert overlapped == [True, True]
    assert hospital.states(ids) == {"succeeded": 6}


def test_a_group_that_cannot_be_computed_is_tried_one_by_one(worker: Bench, hospital: Hospital) -> None:
    def before(_: int) -> None:
        if worker.passes[-1][1] > 1:
            raise RuntimeError("too much at once")

    ids = coughs(hospital, 2)
    worker.before = before
    worker.engine.drain()
    assert [size for _, size in worker.passes] == [2, 1, 1]
    assert hospital.states(ids) == {"succeeded": 2}


def test_neither_is_one_that_fails_on_its_way_the_end_of_its_claim(worker: Bench, hospital: Hospital) -> None:
    class Broken:
        def nearly(self) -> None:
            raise RuntimeError("in the graph")

        result = nearly

    worker.instead = lambda size: Broken() if size > 1 else None
    ids = coughs(hospital, 2)
    worker.engine.drain()
    assert [size for _, size in worker.passes] == [2, 1, 1]
    assert hospital.states(ids) == {"succeeded": 2}


def test_what_cannot_be_computed_alone_either_fails(worker: Bench, hospital: Hospital) -> None:
    def before(_: int) -> None:
        raise RuntimeError("not this graph")

    ids = coughs(hospital, 2)
    worker.before = before
    worker.engine.drain()
    assert {(hospital.job(job).state, hospital.job(job).code) for job in ids} == {("failed", "predict_failed")}


def test_a_stop_gives_back_every_claim(worker: Bench, hospital: Hospital) -> None:
    def before(_: int) -> None:
        assert len(worker.engine.holding) == 2
        worker.engine.stopping.set()

    ids = coughs(hospital, 6)
    worker.before = before
    worker.engine.drain()
    assert hospital.states(ids) == {"succeeded": 2, "queued": 4}
    assert worker.count(Job.state == "queued", Job.attempts > 0) == 0
    assert worker.count(Claim.ended_at.is_(None), of=Claim) == 0
    assert worker.engine.holding == {}


@pytest.mark.parametrize("worker", [{"claim_size": 6}], indirect=True)
@pytest.mark.parametrize(("urgent", "other"), [("stat", "bulk"), ("stat", "routine"), ("routine", "bulk")])
def test_what_is_more_urgent_is_served_between_groups(
    worker: Bench, hospital: Hospital, urgent: str, other: str
) -> None:
    """Of any modality; and where urgent work never ends, the rest goes on in between."""

    def before(number: int) -> None:
        if number in (0, 1):
            hospital.submit(XRAY, "image/png", Modality.CHEST_XRAY, 1, urgent)

    coughs(hospital, 6, other)
    worker.before = before
    worker.engine.drain()
    assert worker.passes == [("cough", 2), ("chest_xray", 1), ("cough", 2), ("chest_xray", 1), ("cough", 2)]
    assert worker.count(Job.state == "succeeded") == 8


@pytest.mark.parametrize("worker", [{"claim_size": 12}], indirect=True)
def test_what_is_more_urgent_does_not_wait_for_others_to_be_prepared(
    worker: Bench, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting(seconds: float) -> None:
        if worker.passes and not before:
            before.append(len(worker.passes))
            hospital.submit(XRAY, "image/png", Modality.CHEST_XRAY, 1, "stat")
            time.sleep(seconds)
        wait(seconds)

    before: list[int] = []
    wait = worker.sandbox.wait
    monkeypatch.setattr(worker.sandbox, "wait", waiting)
    coughs(hospital, 12, "bulk")
    worker.engine.drain()
    assert worker.passes[before[0]] == ("chest_xray", 1)
    assert worker.count(Job.state == "succeeded") == 13


@pytest.mark.parametrize("worker", [{"claim_size": 32, "group_size": 8}], indirect=True)
def test_one_starts_at_once_and_what_piled_up_goes_together(worker: Bench, hospital: Hospital) -> None:
    coughs(hospital, 1)
    worker.before = lambda number: None if number else coughs(hospital, 11)
    worker.engine.drain()
    assert [size for _, size in worker.passes] == [1, 8, 3]


@pytest.mark.parametrize("worker", [{"claim_size": 32, "group_size": 8, "group_values": 26 * 3}], indirect=True)
def test_groups_are_bounded_by_what_they_hold(worker: Bench, hospital: Hospital) -> None:
    coughs(hospital, 8)
    worker.engine.drain()
    assert [size for _, size in worker.passes] == [3, 3, 2]


def test_a_lost_claim_costs_its_own_jobs_only(worker: Bench, hospital: Hospital) -> None:
    def before(number: int) -> None:
        if number == 0:
            with worker.database.begin() as session:
                session.execute(text("UPDATE claims SET lease_until = now() - interval '1 s' WHERE id = :id"), lost())
                session.execute(statements.reap(3, "lost"))
            worker.parts.pulse._beat()

    def lost() -> dict[str, int]:
        return {"id": max(worker.engine.holding)}

    ids = coughs(hospital, 4)
    worker.before = before
    worker.engine.drain()
    assert [size for _, size in worker.passes] == [2, 1, 1], "what was lost is claimed again, alone"
    assert hospital.states(ids) == {"succeeded": 4}
    assert [worker.count(Job.attempts == attempts) for attempts in (1, 2)] == [2, 2]
    assert worker.count(of=Result) == 4


def test_a_deadline_that_passes_while_a_job_is_held_ends_it(worker: Bench, hospital: Hospital) -> None:
    due = datetime.now(UTC) + timedelta(seconds=3)
    ids = coughs(hospital, 2)
    late = hospital.submit(COUGH, "audio/wav", Modality.COUGH, 2, not_after=due)
    worker.before = lambda _: time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()) + 0.5)
    worker.engine.drain()
    assert (hospital.states(ids), hospital.states(late)) == ({"succeeded": 2}, {"failed": 2})
    assert {hospital.job(i).code for i in late} == {"deadline"}
    assert worker.passes == [("cough", 2)]


@pytest.mark.parametrize("where", ["predict", "commit"])
def test_an_error_leaves_the_claim_to_the_reaper(
    worker: Bench, hospital: Hospital, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A claim that was closed with jobs in it would hold them for ever: the reaper looks at open ones."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(where)

    ids = coughs(hospital, 2)
    with monkeypatch.context() as patch:
        owner, name = (answers, "answered") if where == "predict" else (worker.engine._claims, "_write")
        patch.setattr(owner, name, broken)
        with pytest.raises(RuntimeError, match=where):
            worker.engine.drain()
    (claim,) = {hospital.job(i).claim_id for i in ids}
    with worker.database.begin() as session:
        assert session.execute(statements.end_claim(claim)).all() == []
    assert worker.count(Claim.ended_at.is_(None), of=Claim) == 1
    assert worker.engine.holding == {}, "nobody extends its lease"
    worker.reap()
    assert hospital.states(ids) == {"queued": 2}
    worker.engine.drain()
    assert hospital.states(ids) == {"succeeded": 2}
    assert worker.count(Claim.ended_at.is_(None), of=Claim) == 0
