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
from shared.runtimes import Floats, Pass
from shared.telemetry import GROUP_SIZE, PREDICT_SECONDS, PREPARE_SECONDS

_log = structlog.get_logger()


@dataclass(frozen=True)
class Answers:
    """What became of a group: rows to commit, studies that headers name, jobs whose child died of them."""

    rows: list[dict[str, Any]]
    studies: list[dict[str, str]]
    lost: list[Held]


class Group:
    """A group on its way: what is ready and in time is in the graph once this is made, and `answers` waits for it.

    The two may be called by different threads: while one group ends, the next is begun.
    """

    def __init__(self, claim: Claim, loaded: Loaded, group: Sequence[tuple[Held, Outcome]]) -> None:
        self._claim, self._loaded = claim, loaded
        self._late = [job for job, _ in group if job.late]
        self._timely = [(job, outcome) for job, outcome in group if job not in self._late]
        self._ready = [(job, outcome) for job, outcome in self._timely if isinstance(outcome, Ready)]
        self._began = time.perf_counter()
        self._pass = self._started()

    def nearly(self) -> None:
        """Wait until the next group may be begun. A pass that fails meanwhile is over: each member is tried alone."""
        try:
            if self._pass is not None:
                self._pass.nearly()
        except Exception as error:  # noqa: BLE001 — engines raise types of their own
            self._failed(error)

    def answers(self) -> Answers:
        """What became of every job."""
        rows = self._predicted() if self._ready else []
        rows += [answers.refused(job, outcome) for job, outcome in self._timely if isinstance(outcome, Refused)]
        rows += [failed(job, "deadline") for job in self._late]
        studies = [study for job, outcome in self._ready for study in answers.study_of(job, outcome.facts)]
        return Answers(rows, studies, [job for job, outcome in self._timely if isinstance(outcome, Lost)])

    def _started(self) -> Pass | None:
        """None when nothing is ready, or when the group as a whole cannot be computed."""
        if not self._ready:
            return None
        try:
            return self._loaded.runtime.start(np.stack([ready.tensor for _, ready in self._ready]))
        except Exception as error:  # noqa: BLE001 — engines raise types of their own
            self._failed(error)
            return None

    def _predicted(self) -> list[dict[str, Any]]:
        modality = self._claim.modality
        for _, outcome in self._ready:
            PREPARE_SECONDS.labels(modality).observe(outcome.milliseconds / 1000)
        scored = self._scores()
        seconds = time.perf_counter() - self._began
        PREDICT_SECONDS.labels(modality).observe(seconds)
        GROUP_SIZE.labels(modality).observe(len(self._ready))
        run = Run(self._claim, self._loaded, seconds * 1000, len(self._ready))
        return [
            answers.answered(run, job, outcome, score, distance)
            for (job, outcome), (score, distance) in zip(self._ready, scored, strict=True)
        ]

    def _scores(self) -> list[tuple[float, float]]:
        """Scores and distances. When the group as a whole cannot be computed, each member is tried alone."""
        try:
            if self._pass is not None:
                scores, distances = self._pass.result()
                return [(float(score), float(distance)) for score, distance in zip(scores, distances, strict=True)]
        except Exception as error:  # noqa: BLE001 — engines raise types of their own
            self._failed(error)
        return [_alone(self._loaded, outcome.tensor) for _, outcome in self._ready]

    def _failed(self, error: Exception) -> None:
        _log.warning("group_failed", error=type(error).__name__, size=len(self._ready))
        self._pass = None


def _alone(loaded: Loaded, tensor: Floats) -> tuple[float, float]:
    try:
        (score,), (distance,) = loaded.runtime.run(tensor[None])
        return float(score), float(distance)
    except Exception as error:  # noqa: BLE001 — engines raise types of their own
        _log.error("predict_failed", error=type(error).__name__)
        return float("nan"), float("nan")
