"""Single studies, one at a time over HTTP, and how long each took; a backlog of others' bulk beside them."""

import secrets
import time
from collections.abc import Sequence
from uuid import UUID

import httpx
from sqlalchemy import func, select, text

from bench.inputs import MEDIA_TYPES, bodies
from bench.stack import Bench
from shared.db.tables import Job
from shared.schemas import TERMINAL, Modality
from tests.support.stack import Hospital, wait_for

_DIFFERENT = 100
_PAUSE_S = 0.2
_TOOK = text(
    "SELECT extract(epoch FROM finished_at - created_at)::float8 * 1000 AS took FROM jobs "
    "WHERE id = ANY (:ids) AND state = 'succeeded'"
)


class Singles:
    """A hospital's system that sends a study, waits for its result, pauses, and sends the next."""

    def __init__(self, place: Bench, tenant: str, modality: Modality, priority: str) -> None:
        self._place, self._client = place, place.client(tenant)
        self._form = {"modality": str(modality), "priority": priority}
        self._bodies = bodies(modality, _DIFFERENT)
        self._sent = 0

    def send(self, count: int) -> list[float]:
        """Milliseconds from acceptance to the committed result of so many, by the database's clock."""
        ids = [self._one() for _ in range(count)]
        with self._place.database.begin() as session:
            took: list[float] = list(session.scalars(_TOOK, {"ids": ids}))
        assert len(took) == count, "a single study did not succeed"
        return took

    def _one(self) -> UUID:
        """Pauses vary, so that the studies meet the others' work at any moment of it."""
        time.sleep(secrets.randbelow(1000) / 1000 * _PAUSE_S)
        body = self._bodies[self._sent % len(self._bodies)]
        self._sent += 1
        answer = _good(self._client.post("/v1/jobs", files={"file": ("x", body)}, data=self._form))
        job = answer.json()["id"]
        while answer.json()["status"] not in TERMINAL:
            answer = _good(self._client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=30"}))
        return UUID(job)


class Backlog:
    """Another hospital's bulk: rows as the gateway commits them, of one stored input."""

    def __init__(self, place: Bench, tenant: str, modality: Modality) -> None:
        self._database = place.database
        self._hospital = Hospital(place.settings, place.database, tenant)
        self._modality, (self._body,) = modality, bodies(modality, 1)

    def begin(self, count: int) -> None:
        """Put so many in; returns when a worker is at it."""
        self._hospital.submit(self._body, MEDIA_TYPES[self._modality], self._modality, count, "bulk")
        wait_for(lambda: self.count("running"), 60, "the backlog is worked on")

    def end(self) -> None:
        """Cancel what still waits; returns when nothing runs."""
        cancelled = "UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE state = 'queued'"
        with self._database.begin() as session:
            session.execute(text(cancelled))
        wait_for(lambda: not self.count("running", "queued"), 60, "the backlog is gone")

    def count(self, *states: str) -> int:
        """Its hospital's jobs in these states."""
        own = Job.tenant_id == self._hospital.tenant_id
        with self._database.begin() as session:
            return session.scalar(select(func.count()).select_from(Job).where(own, Job.state.in_(states))) or 0


def p95(values: Sequence[float]) -> float:
    """The value that one of twenty is above."""
    return sorted(values)[int(len(values) * 0.95)]


def _good(answer: httpx.Response) -> httpx.Response:
    return answer.raise_for_status()
