"""What a trainer holds, and the ways it leaves its hands: published, failed, given back, lost."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import structlog

from services.trainer.train import Progress
from shared.db.engine import Database
from shared.db.lease import within_lease
from shared.db.statements import training
from shared.deployments import publish
from shared.faults import fault
from shared.registry import Artefact
from shared.schemas import Card, Note, RunState
from shared.sentences import say
from shared.settings import Settings

_CHUNK = 1000  # points in one statement
_log = structlog.get_logger()
T = TypeVar("T")


class RunLost(Exception):
    """The run is no longer ours: cancelled, or its lease ran out. Nothing may be written for it any more."""


@dataclass
class Held:
    """One claimed run; `lost` is set when a heartbeat found that it is no longer ours."""

    id: UUID
    tenant_id: UUID
    fence: int
    recipe: str
    dataset: str
    mode: str
    seed: int
    name: str
    options: dict[str, Any]
    publisher: str
    lost: threading.Event = field(default_factory=threading.Event)


class Runs:
    """Takes runs and ends them. Every write proves that the run is still ours."""

    def __init__(self, settings: Settings, database: Database, worker_id: UUID) -> None:
        self._settings, self._database, self._worker_id = settings, database, worker_id

    def take(self, recipes: Collection[str], datasets: Collection[str]) -> Held | None:
        """The oldest waiting run that can be done here, or None."""
        statement = training.claim(self._worker_id, self._settings.lease_s, sorted(recipes), sorted(datasets))
        rows = self._execute(statement)
        names = [name for name in Held.__dataclass_fields__ if name != "lost"]
        return Held(**{name: getattr(rows[0], name) for name in names}) if rows else None

    def beat(self, held: Held) -> None:
        """Extend the lease, or note that it is lost."""
        if not self._execute(training.heartbeat(held.id, held.fence, self._settings.lease_s)):
            held.lost.set()

    def reap(self) -> int:
        """Put back what others lost; returns how many runs."""
        return len(self._execute(training.reap(self._settings.max_attempts, say("trainer_lost"))))

    def tell(self, held: Held, progress: Progress, points: Sequence[dict[str, Any]]) -> None:
        """Write how far it is, and its epochs. Raises RunLost."""
        at = (progress.stage, progress.done, progress.total, progress.seconds_left)
        with self._database.begin() as session:
            if session.execute(training.progress(held.id, held.fence, *at)).first() is None:
                raise RunLost
            for start in range(0, len(points), _CHUNK):
                owner = {"run_id": held.id, "tenant_id": held.tenant_id}
                session.execute(training.points([{**owner, **point} for point in points[start : start + _CHUNK]]))

    def publish(self, held: Held, artefact: Artefact) -> None:
        """Register the stored version and end the run, both or neither. Raises RunLost, and Conflict (its name)."""

        def write() -> None:
            with self._database.begin() as session:
                version = publish(session, artefact, held.publisher).id
                values = {"version": version, "figures": _figures(artefact.card), "notes": _notes(artefact.card)}
                done = training.finish(held.id, held.fence, RunState.SUCCEEDED, **values)
                if session.execute(done).first() is None:
                    raise RunLost
                fault("trainer.publishing")

        self._persist(held, write)

    def fail(self, held: Held, code: str, detail: str) -> None:
        """End the run without a version."""
        self._persist(
            held, lambda: self._own(training.finish(held.id, held.fence, RunState.FAILED, code=code, detail=detail))
        )

    def give_back(self, held: Held) -> None:
        """Let it wait for another trainer, without using up an attempt."""
        self._persist(held, lambda: self._own(training.give_back(held.id, held.fence)))

    def open_among(self, ids: Sequence[UUID]) -> set[UUID]:
        """Which of these runs have not ended."""
        with self._database.begin() as session:
            return set(session.scalars(training.open_among(ids)))

    def _own(self, statement: Any) -> None:
        if not self._execute(statement):
            raise RunLost

    def _execute(self, statement: Any) -> list[Any]:
        with self._database.begin() as session:
            return list(session.execute(statement))

    def _persist(self, held: Held, write: Callable[[], T]) -> T:
        return within_lease(write, self._settings.lease_s, held.lost, run=str(held.id))


def _figures(card: Card) -> dict[str, Any]:
    point = card.operating_point
    intervals = {"auroc": card.metrics.auroc, "sensitivity": point.sensitivity, "specificity": point.specificity}
    plain = {"patients": card.data.patients, "threshold": card.threshold, "seconds": round(card.training.seconds, 1)}
    return {**{name: value.model_dump() for name, value in intervals.items()}, **plain}


def _notes(card: Card) -> list[dict[str, Any]]:
    if not card.warning:
        return []
    text = say("gate.controls", warning=card.warning)
    return [Note(code="gate.controls", text=text).model_dump()]
