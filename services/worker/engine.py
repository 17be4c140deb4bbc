"""The worker's straight line: claim → prepare → predict → decide → commit, until nothing waits or it must stop."""

import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
import structlog

from services.worker import answers
from services.worker.answers import Run
from services.worker.claims import Claim, Claims, Held
from services.worker.deployed import Deployed, Loaded
from services.worker.renditions import Renditions
from services.worker.sandbox import Lost, Order, Outcome, Ready, Refused, Sandbox
from shared.errors import VersionInvalid
from shared.runtimes import Floats
from shared.sentences import say
from shared.settings import Settings
from shared.storage import BlobStore
from shared.telemetry import GROUP_SIZE, PREDICT_SECONDS, PREPARE_SECONDS

_REFUSED_FOR_S = 30.0  # a version that could not be loaded is left alone this long
_log = structlog.get_logger()
Pair = tuple[Held, Outcome]


class Engine:
    """Works claims off. `drain` may be called from any thread; one works at a time and misses no call."""

    def __init__(
        self,
        settings: Settings,
        claims: Claims,
        deployed: Deployed,
        sandbox: Sandbox,
        renditions: Renditions,
        store: BlobStore,
    ) -> None:
        self._settings, self._claims, self._deployed = settings, claims, deployed
        self._sandbox, self._renditions, self._store = sandbox, renditions, store
        self._busy = threading.Lock()
        self._rung = threading.Event()
        self._refused: dict[UUID, float] = {}
        self.stopping = threading.Event()
        self.holding: Claim | None = None

    def drain(self) -> None:
        """Work until nothing waits. A call while another thread works makes that thread look once more."""
        self._rung.set()
        while self._rung.is_set() and not self.stopping.is_set() and self._busy.acquire(blocking=False):
            try:
                self._rung.clear()
                while not self.stopping.is_set() and (self._work_one() or self._renditions.make_one()):
                    pass
            finally:
                self._busy.release()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no thread works; False when it takes longer (seconds)."""
        if not self._busy.acquire(timeout=timeout):
            return False
        self._busy.release()
        return True

    def _work_one(self) -> bool:
        now = time.monotonic()
        claim = self._claims.take([version for version, until in self._refused.items() if until > now])
        if claim is None:
            return False
        self.holding = claim
        try:
            self._work(claim)
        finally:
            self.holding = None
            self._claims.end(claim)
        return True

    def _work(self, claim: Claim) -> None:
        try:
            loaded = self._deployed.get(claim.version_sha256)
        except VersionInvalid as error:
            self._refuse(claim, error)
            return
        for done, group in self._groups(claim, loaded):
            if claim.lost.is_set():
                return
            self._answer(claim, loaded, group)
            if self.stopping.is_set():
                self._claims.give_back(claim, claim.jobs[done:], "worker_stopping")
                return

    def _groups(self, claim: Claim, loaded: Loaded) -> Iterator[tuple[int, list[Pair]]]:
        """Groups as they are prepared, each with the number of jobs done after it."""
        orders = [
            Order(str(self._store.path(job.tenant_id, job.sha256)), job.sha256, job.media_type, loaded.card.pipeline)
            for job in claim.jobs
        ]
        outcomes = zip(claim.jobs, self._sandbox.prepare(orders), strict=True)
        done = 0
        while group := list(islice(outcomes, self._settings.group_size)):
            done += len(group)
            yield done, group

    def _answer(self, claim: Claim, loaded: Loaded, group: list[Pair]) -> None:
        ready = [(job, outcome) for job, outcome in group if isinstance(outcome, Ready)]
        rows = self._predict(claim, loaded, ready)
        rows += [answers.refused(job, outcome) for job, outcome in group if isinstance(outcome, Refused)]
        studies = [study for job, outcome in ready if (study := answers.study_of(job, outcome))]
        self._claims.finish(claim, rows, studies)
        lost = [job for job, outcome in group if isinstance(outcome, Lost)]
        self._claims.give_back(claim, lost, "decoder_died", charged=True, detail=say("decoder_died"))

    def _predict(self, claim: Claim, loaded: Loaded, ready: list[tuple[Held, Ready]]) -> list[dict[str, Any]]:
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

    def _refuse(self, claim: Claim, error: VersionInvalid) -> None:
        """Never fall back to another version: wait for one that loads, and end the jobs if none comes."""
        _log.error("version_refused", version=claim.version_sha256, detail=error.detail)
        assert claim.version_id is not None
        self._refused[claim.version_id] = time.monotonic() + _REFUSED_FOR_S
        self._claims.give_back(
            claim,
            claim.jobs,
            "version_unavailable",
            charged=True,
            last_state="failed",
            code="version_unavailable",
            detail=say("version_unavailable"),
            pause=5.0,
        )


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
