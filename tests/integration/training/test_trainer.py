"""A trainer and its runs: claimed once, told about, given back, lost, failed; with a training that is made up."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from shared import registry
from shared.db.engine import Database
from shared.db.statements import training
from shared.db.tables import TrainingPoint, TrainingRun, Version, Worker
from shared.errors import VersionInvalid
from shared.schemas import Modality
from shared.sentences import say
from shared.settings import Settings
from tests.support.stack import Hospital, wait_for
from tests.support.versions import tiny

pytestmark = pytest.mark.trainer
process = pytest.importorskip("services.trainer.process")

from services.trainer.fit import Epoch  # noqa: E402 — only where torch is
from services.trainer.train import Budget, Progress  # noqa: E402

DATASET = "north-coughs"


class Training:
    """Stands for `train`: epochs until it is told to finish."""

    def __init__(self) -> None:
        self.began, self.finish = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.calls: list[dict[str, Any]] = []

    def __call__(self, recipe: str, data: Path, out: Path, **options: Any) -> Path:
        self.calls.append({"recipe": recipe, "data": data, **options})
        number = 0
        while not self.finish.wait(0.01):
            number += 1
            epoch = Epoch(number, float("nan") if number == 1 else 0.5, 3, 1, 4, 2, seconds=0.01)
            options["on_progress"](Progress("fold 1/2", number, 1000, epoch, 9.0))
            self.began.set()
        if self.error:
            raise self.error
        return tiny(out, Modality.COUGH)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch is written at once."""
    monkeypatch.setattr("services.trainer.telling._EVERY_S", 0.0)


@pytest.fixture
def learning() -> Training:
    return Training()


@pytest.fixture
def trainer(settings: Settings, learning: Training, told: None) -> Iterator[Any]:
    folder = settings.datasets / DATASET
    folder.mkdir(parents=True)
    (folder / "index.csv").touch()
    running = process.Trainer(settings, learning)
    running.start()
    yield running
    running.close(5)


@pytest.fixture
def start(database: Database, hospital: Hospital) -> Callable[..., UUID]:
    def queue(**changes: Any) -> UUID:
        owner = {"tenant_id": hospital.tenant_id, "principal_id": hospital.principal_id}
        fields = {"recipe": "cough/mlp", "mode": "sound", "seed": 5, "dataset": DATASET, "name": "n", "options": {}}
        with database.begin() as session:
            row = TrainingRun(**{**fields, **owner, **changes})
            session.add(row)
        return row.id

    return queue


@pytest.fixture
def row(database: Database) -> Callable[[UUID], TrainingRun]:
    def read(run: UUID) -> TrainingRun:
        with database.begin() as session:
            return session.get_one(TrainingRun, run)

    return read


def until(row: Callable[[UUID], TrainingRun], run: UUID, state: str) -> TrainingRun:
    wait_for(lambda: row(run).state == state, 60, f"the run is {state}")
    return row(run)


def count(database: Database, table: type) -> int:
    with database.begin() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_run_is_trained_told_about_and_published(
    settings: Settings, database: Database, trainer: Any, learning: Training, start: Any, row: Any
) -> None:
    run = start(options={"epochs": 7, "folds": 2})
    trainer.ring()
    assert learning.began.wait(60)
    wait_for(lambda: count(database, TrainingPoint) > 2, 60, "points")
    during = row(run)
    assert (during.state, during.stage, during.total, during.seconds_left) == ("running", "fold 1/2", 1000, 9.0)
    learning.finish.set()
    ended = until(row, run, "succeeded")
    (call,) = learning.calls
    assert (call["recipe"], call["data"], call["seed"], call["name"]) == (
        "cough/mlp",
        settings.datasets / DATASET,
        5,
        "n",
    )
    assert call["budget"] == Budget(epochs=7, folds=2, threads=settings.trainer_threads, nice=10)
    with database.begin() as session:
        version = session.get_one(Version, ended.version_id)
        points = session.scalars(select(TrainingPoint).order_by(TrainingPoint.position)).all()
    assert version.published_by == "north/pacs"
    assert registry.verify(settings.versions_dir / version.sha256).card.name == "tiny-1"
    assert ended.figures["auroc"] == version.card["metrics"]["auroc"]
    assert [point.position for point in points] == list(range(1, len(points) + 1))
    assert (points[1].epoch, points[1].tp, points[1].fn, points[1].accuracy) == (2, 3, 2, 0.7)
    wait_for(lambda: not list(settings.runs_dir.iterdir()), 60, "the run's folder is gone")


def test_what_can_be_trained_is_reported(database: Database, settings: Settings, trainer: Any) -> None:
    (settings.datasets / "no-index").mkdir()
    with database.begin() as session:
        report = session.get_one(Worker, trainer.worker_id).report
    assert report["datasets"] == [DATASET]
    assert {"name": "cough/mlp", "modality": "cough", "finding": "covid_pattern"} in report["recipes"]
    assert trainer.close(5)
    with database.begin() as session:
        assert session.get_one(Worker, trainer.worker_id).stopped_at is not None


def test_only_runs_that_can_be_done_here_are_taken(trainer: Any, learning: Training, start: Any, row: Any) -> None:
    elsewhere, unknown, here = start(dataset="south"), start(recipe="cough/none"), start()
    trainer.ring()
    assert learning.began.wait(60)
    assert [row(run).state for run in (elsewhere, unknown, here)] == ["queued", "queued", "running"]
    learning.finish.set()
    until(row, here, "succeeded")


def test_a_cancelled_run_stops_and_publishes_nothing(
    database: Database, hospital: Hospital, trainer: Any, learning: Training, start: Any, row: Any
) -> None:
    run = start()
    trainer.ring()
    assert learning.began.wait(60)
    with database.begin() as session:
        assert session.execute(training.cancel(hospital.tenant_id, run)).all()
    wait_for(lambda: trainer.holding is None, 60, "the training has stopped")
    assert not learning.finish.is_set(), "it stopped by itself"
    assert (row(run).state, count(database, Version)) == ("cancelled", 0)


def test_who_lost_the_run_at_its_end_publishes_nothing(
    database: Database, trainer: Any, learning: Training, start: Any, row: Any
) -> None:
    """As a process that was frozen past its lease: it hears of it only from its own last statement."""
    run = start()
    trainer.ring()
    assert learning.began.wait(60)
    held = trainer.holding
    held.fence -= 1  # another one has claimed it since
    learning.finish.set()
    wait_for(lambda: trainer.holding is None, 60, "the training has stopped")
    assert (row(run).state, row(run).version_id, count(database, Version)) == ("running", None, 0)


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (VersionInvalid("nothing_learnt", detail="No better than chance."), "nothing_learnt", "No better than chance."),
        (RuntimeError("/srv/data/patient.wav"), "train_failed", say("train_failed")),
    ],
)
def test_a_failure_has_a_code_and_a_plain_sentence(
    database: Database,
    trainer: Any,
    learning: Training,
    start: Any,
    row: Any,
    error: Exception,
    code: str,
    detail: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    learning.error = error
    learning.finish.set()
    run = start()
    trainer.ring()
    ended = until(row, run, "failed")
    assert "/srv" not in capsys.readouterr().err
    assert (ended.code, ended.detail, ended.version_id) == (code, detail, None)
    assert count(database, Version) == 0


def test_a_taken_name_ends_the_run_and_registers_nothing(
    database: Database, deployed: Any, trainer: Any, start: Any, row: Any
) -> None:
    before = count(database, Version)

    def other(recipe: str, data: Path, out: Path, **options: Any) -> Path:
        return tiny(out, Modality.COUGH, bias=0.5)

    trainer._train = other
    run = start()
    trainer.ring()
    assert until(row, run, "failed").code == "conflict"
    assert count(database, Version) == before


def test_a_stopped_trainer_gives_its_run_back_uncharged(trainer: Any, learning: Training, start: Any, row: Any) -> None:
    run = start()
    trainer.ring()
    assert learning.began.wait(60)
    assert trainer.close(10)
    assert (row(run).state, row(run).attempts) == ("queued", 0)


def test_a_long_epoch_does_not_keep_the_run(settings: Settings, trainer: Any, start: Any, row: Any) -> None:
    hanging, let_go = threading.Event(), threading.Event()

    def hang(recipe: str, data: Path, out: Path, **options: Any) -> Path:
        hanging.set()
        let_go.wait(30)
        return tiny(out, Modality.COUGH)

    trainer._train = hang
    run = start()
    trainer.ring()
    assert hanging.wait(60)
    assert not trainer.close(0.2)
    assert (row(run).state, row(run).attempts) == ("queued", 0)
    let_go.set()
    trainer._work.join(60)
    assert row(run).state == "queued", "what ends afterwards writes nothing"


def test_a_version_that_was_ready_is_not_trained_again(
    settings: Settings, trainer: Any, learning: Training, start: Any, row: Any, database: Database
) -> None:
    """The process died between the training and its commit."""
    run = start(dataset="later")
    tiny(settings.runs_dir / str(run) / "version", Modality.COUGH)
    (settings.datasets / "later").mkdir()
    (settings.datasets / "later" / "index.csv").touch()
    trainer.ring()
    assert until(row, run, "succeeded").version_id
    assert learning.calls == []
