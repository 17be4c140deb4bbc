"""The shadow: what another version makes of inputs that were answered already. It answers nobody.

It works only while no claim is held and nothing waits, on a few inputs at a time, between which the engine looks for
work: so neither an error nor the death of the process in a shadow can cost a job an attempt.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import structlog
from sqlalchemy import Row

from services.worker.children import Task
from services.worker.claims import Held
from services.worker.deployed import Deployed, Loaded
from services.worker.sandbox import Order, Outcome, Ready, Refused, Sandbox
from shared.db.engine import Database
from shared.db.statements import shadow as statements
from shared.decide import decide
from shared.faults import fault
from shared.runtimes import Floats
from shared.settings import Settings
from shared.storage import BlobStore

_AT_ONCE = 16  # inputs marked in one statement
_MOST_KEPT = 256  # prepared inputs
_POLL_S = 0.05  # how soon the engine looks for work again while an input is being prepared
_REST_S = 30.0  # after an error
_log = structlog.get_logger()


@dataclass(frozen=True)
class _Pointer:
    """A shadow of a modality."""

    modality: str
    version: UUID
    sha256: str


@dataclass(frozen=True)
class _Taken:
    """One input that is ours to try, and for which version; `ready` or being prepared by `task` once it is begun."""

    pointer: _Pointer
    row: Row[Any]
    ready: Ready | None = None
    task: Task | None = None

    @property
    def outcome(self) -> Outcome | None:
        """What became of preparing it; None while that goes on."""
        return self.ready or (self.task.outcome if self.task else None)


class Shadow:
    """Takes answered inputs, runs the shadow over them, keeps what it said. For the engine's thread."""

    def __init__(
        self, settings: Settings, database: Database, deployed: Deployed, sandbox: Sandbox, store: BlobStore
    ) -> None:
        self._settings, self._database, self._deployed = settings, database, deployed
        self._sandbox, self._store = sandbox, store
        self._pointers: dict[str, _Pointer] = {}
        self._todo: deque[_Taken] = deque()
        self._doing: list[_Taken] = []
        self._kept: OrderedDict[UUID, Floats] = OrderedDict()
        self._seen: dict[UUID, datetime] = {}
        self._looked = self._rests_until = float("-inf")

    def keep(self, modality: str, loaded: Loaded, group: Iterable[tuple[Held, Outcome]]) -> None:
        """Remember prepared inputs that the shadow of this modality reads in the same way; the oldest are forgotten."""
        pointer = self._pointers.get(modality)
        shadow = self._deployed.found(pointer.sha256) if pointer else None
        if shadow is None or not _read_alike(shadow, loaded):
            return
        self._kept.update((job.id, outcome.tensor) for job, outcome in group if isinstance(outcome, Ready))
        while len(self._kept) > _MOST_KEPT or self._values > self._settings.group_values:
            self._kept.popitem(last=False)

    @property
    def _values(self) -> int:
        return sum(tensor.size for tensor in self._kept.values())

    def step(self) -> bool:
        """A little work, while nothing else waits; False when there is none. Raises no error."""
        if not self._settings.shadow_share or time.monotonic() < self._rests_until:
            return False
        try:
            return self._go_on() if self._doing else self._begin()
        except Exception as error:  # noqa: BLE001 — whatever it is, it is none of the engine's business
            _log.warning("shadow_failed", error=type(error).__name__)
            self._sandbox.drop(taken.task for taken in self._doing if taken.task)
            self._doing.clear()
            self._rests_until = time.monotonic() + _REST_S
            return False

    def close(self) -> None:
        """Leave what was taken and not computed to others."""
        self._todo.extendleft(self._doing)
        self._doing = []
        self._let_go()

    def _let_go(self) -> None:
        while self._todo:
            taken = self._todo.popleft()
            with self._database.begin() as session:
                session.execute(statements.release(taken.pointer.version, [taken.row.id]))

    def _begin(self) -> bool:
        """Have a few inputs prepared: no more than there are children, so that a job waits behind one at most."""
        if not self._todo and not self._take():
            return False
        pointer = self._todo[0].pointer
        loaded = self._deployed.found(pointer.sha256)
        if loaded is None:  # recalled or replaced meanwhile
            self._let_go()
            return False
        while self._todo and self._todo[0].pointer == pointer and len(self._doing) < self._settings.sandbox_children:
            self._doing.append(self._started(self._todo.popleft(), loaded))
        return True

    def _started(self, taken: _Taken, loaded: Loaded) -> _Taken:
        row, tensor = taken.row, self._kept.pop(taken.row.id, None)
        if tensor is not None:
            return replace(taken, ready=Ready(tensor, [], {}, 0.0))
        steps = [step.model_dump() for step in loaded.card.pipeline]
        order = Order(str(self._store.path(row.tenant_id, row.sha256)), row.sha256, row.media_type, steps)
        return replace(taken, task=self._sandbox.put([order])[0])

    def _go_on(self) -> bool:
        if any(taken.outcome is None for taken in self._doing):
            self._sandbox.wait(_POLL_S)
            return True
        doing, self._doing = self._doing, []
        pointer = doing[0].pointer
        loaded = self._deployed.found(pointer.sha256)
        if loaded is not None:
            answers = self._answers(loaded, [(taken.row, taken.outcome) for taken in doing])
            with self._database.begin() as session:
                session.execute(statements.finish(pointer.version, answers))
                fault("shadow.written")
        return True

    def _answers(self, loaded: Loaded, outcomes: Sequence[tuple[Row[Any], Outcome | None]]) -> list[dict[str, Any]]:
        ready = [(row, outcome) for row, outcome in outcomes if isinstance(outcome, Ready)]
        answers = [_refused(row, outcome) for row, outcome in outcomes if not isinstance(outcome, Ready)]
        if not ready:
            return answers
        began = time.perf_counter()
        scores, distances = loaded.runtime.run(np.stack([outcome.tensor for _, outcome in ready]))
        ms = (time.perf_counter() - began) * 1000 / len(ready)
        scored = zip(ready, scores, distances, strict=True)
        return answers + [
            _answer(loaded, row, outcome.milliseconds + ms, float(score), float(distance))
            for (row, outcome), score, distance in scored
        ]

    def _take(self) -> bool:
        """Mark the next inputs of a shadow that is loaded; False when there are none, or it is too early to look."""
        if time.monotonic() < self._looked + self._settings.deployment_look_s:
            return False
        self._look()
        for pointer in self._pointers.values():
            if self._deployed.found(pointer.sha256) and (rows := self._next(pointer)):
                self._todo.extend(_Taken(pointer, row) for row in rows)
                return True
        self._looked = time.monotonic()
        return False

    def _look(self) -> None:
        with self._database.begin() as session:
            rows = session.execute(statements.pointers(self._settings.served)).all()
        self._pointers = {modality: _Pointer(modality, version, sha256) for modality, version, sha256 in rows}
        if not self._pointers:
            self._kept.clear()

    def _next(self, pointer: _Pointer) -> Sequence[Row[Any]]:
        share, after = self._settings.shadow_share, self._seen.get(pointer.version)
        with self._database.begin() as session:
            statement = statements.take(pointer.modality, pointer.version, share, after, _AT_ONCE)
            rows = session.execute(statement).all()
        if rows:
            fault("shadow.taken")
            self._seen[pointer.version] = rows[-1].finished_at
        return rows


def _read_alike(one: Loaded, other: Loaded) -> bool:
    return one.card.pipeline == other.card.pipeline and one.card.tensor == other.card.tensor


def _answer(loaded: Loaded, row: Row[Any], ms: float, score: float, distance: float) -> dict[str, Any]:
    given = {name: value for name, value in (("age_years", row.age_years), ("view", row.view)) if value is not None}
    own = {"job_id": str(row.id), "ms": round(ms, 2)}
    try:
        verdict = decide(loaded.card, score, distance, {**(row.header or {}), **given})
    except ValueError:
        return {**own, "code": "predict_failed"}
    made = {"probability": verdict.probability, "decision": verdict.decision}
    return {**own, "score": score, "distance": distance, **made}


def _refused(row: Row[Any], outcome: Outcome | None) -> dict[str, Any]:
    code = outcome.code if isinstance(outcome, Refused) else "decoder_died"
    return {"job_id": str(row.id), "ms": 0.0, "code": code}
