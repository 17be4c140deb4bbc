"""One group's way through the graph: from prepared inputs to the rows that are committed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from services.worker import answers
from services.worker.answers import Run
from services.worker.claims import Claim, Held, failed
from services.worker.deployed import Loaded
from services.worker.sandbox import Lost, Outcome, Ready, Refused
from shared.runtimes import Floats
from shared.telemetry import GROUP_SIZE, PREDICT_SECONDS, PREPARE_SECONDS

_log = structlog.get_logger()


@dataclass(frozen=True)
class Answers:
    """What became of a group: rows to commit, studies that headers name, jobs whose child died of them."""

    rows: list[dict[str, Any]]
    studies: list[dict[str, str]]
    lost: list[Held]


def answer(claim: Claim, loaded: Loaded, group: Sequence[tuple[Held, Outcome]]) -> Answers:
    """Predict what is ready and in time, and say of every job what became of it."""
    late = [job for job, _ in group if job.late]
    timely = [(job, outcome) for job, outcome in group if job not in late]
    ready = [(job, outcome) for job, outcome in timely if isinstance(outcome, Ready)]
    rows = _predicted(claim, loaded, ready)
    rows += [answers.refused(job, outcome) for job, outcome in timely if isinstance(outcome, Refused)]
    rows += [failed(job, "deadline") for job in late]
    studies = [study for job, outcome in ready for study in answers.study_of(job, outcome.facts)]
    return Answers(rows, studies, [job for job, outcome in timely if isinstance(outcome, Lost)])


def _predicted(claim: Claim, loaded: Loaded, ready: list[tuple[Held, Ready]]) -> list[dict[str, Any]]:
    if not ready:
        return []
    for _, outcome in ready:
        PREPARE_SECONDS.labels(claim.modality).observe(outcome.milliseconds / 1000)
    began = time.perf_counter()
    scored = _score(loaded, [outcome.tensor for _, outcome in ready])
    seconds = time.perf_counter() - began
    PREDICT_SECONDS.labels(claim.modality).observe(seconds)
    GROUP_SIZE.labels(claim.modality).observe(len(ready))
    run = Run(claim, loaded, seconds * 1000, len(ready))
    return [
        answers.answered(run, job, outcome, score, distance)
        for (job, outcome), (score, distance) in zip(ready, scored, strict=True)
    ]


def _score(loaded: Loaded, tensors: list[Floats]) -> list[tuple[float, float]]:
    """Scores and distances of a group. When the group as a whole cannot be computed, each member is tried alone."""
    try:
        scores, distances = loaded.runtime.run(np.stack(tensors))
        return [(float(score), float(distance)) for score, distance in zip(scores, distances, strict=True)]
    except Exception as error:  # noqa: BLE001 — engines raise types of their own
        if len(tensors) == 1:
            _log.error("predict_failed", error=type(error).__name__)
            return [(float("nan"), float("nan"))]
        return [pair for tensor in tensors for pair in _score(loaded, [tensor])]
