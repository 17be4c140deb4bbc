"""A training run as the API shows it."""

from collections.abc import Iterable
from datetime import datetime
from math import isfinite
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from services.api.views import version_ref
from shared.db.tables import TrainingPoint, TrainingRun, Version
from shared.schemas import JobProblem, Note, RunState, VersionRef
from shared.sentences import retold, say

_COPIED = (
    "id",
    "recipe",
    "mode",
    "seed",
    "dataset",
    "name",
    "attempts",
    "figures",
    "created_at",
    "started_at",
    "finished_at",
)


class Progress(BaseModel):
    """Where a run is. `done` of `total` counts files while preparing, else epochs over all stages."""

    stage: str
    done: int
    total: int
    seconds_left: float | None


class Point(BaseModel):
    """One epoch on the training draws. `loss` is absent when it was no number."""

    stage: str
    epoch: int
    loss: float | None
    accuracy: float
    tp: int
    fp: int
    tn: int
    fn: int
    seconds: float


class RunSummary(BaseModel):
    """One run among others."""

    id: UUID
    status: RunState
    sentence: str
    recipe: str
    mode: Literal["faithful", "sound"]
    seed: int
    dataset: str
    name: str
    epochs: int | None
    folds: int | None
    progress: Progress | None
    figures: dict[str, Any] | None
    notes: list[Note]
    version: VersionRef | None
    error: JobProblem | None
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: dict[str, str]


class RunView(RunSummary):
    """One run with its curve so far."""

    curve: list[Point]


def run_summary(run: TrainingRun, version: Version | None, base_url: str) -> RunSummary:
    """Without the curve."""
    return RunSummary(**_fields(run, version, base_url))


def run_view(run: TrainingRun, version: Version | None, curve: Iterable[TrainingPoint], base_url: str) -> RunView:
    """With the curve."""
    return RunView(curve=[_point(point) for point in curve], **_fields(run, version, base_url))


def _fields(run: TrainingRun, version: Version | None, base_url: str) -> dict[str, Any]:
    place = f"{base_url}/v1/training-runs/{run.id}"
    links = {"self": place}
    if version is not None:
        links["version"] = f"{base_url}/v1/versions/{version.sha256}"
    return {
        **{name: getattr(run, name) for name in _COPIED},
        "status": RunState(run.state),
        "sentence": say(f"run.{run.state}"),
        "epochs": run.options.get("epochs"),
        "folds": run.options.get("folds"),
        "progress": _progress(run),
        "notes": [Note.model_validate(note) for note in run.notes],
        "version": version_ref(version) if version is not None else None,
        "error": JobProblem(code=run.code, detail=retold(run.code, run.detail or say(run.code))) if run.code else None,
        "links": links,
    }


def _progress(run: TrainingRun) -> Progress | None:
    if run.stage is None:
        return None
    return Progress(stage=run.stage, done=run.done, total=run.total, seconds_left=run.seconds_left)


def _point(point: TrainingPoint) -> Point:
    names = ("stage", "epoch", "accuracy", "tp", "fp", "tn", "fn", "seconds")
    return Point(loss=point.loss if isfinite(point.loss) else None, **{name: getattr(point, name) for name in names})
