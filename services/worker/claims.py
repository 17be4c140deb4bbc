"""What a worker holds, and the ways it leaves its hands: answered, given back, lost."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Row

from shared.db.engine import Database
from shared.db.lease import AWAY, within_lease
from shared.db.statements import claims as statements
from shared.db.statements import turns
from shared.db.tables import PRIORITY_RANK
from shared.faults import fault
from shared.sentences import say
from shared.settings import Settings
from shared.telemetry import JOBS_FINISHED, QUEUE_SECONDS, STALE_COMMITS

T = TypeVar("T")
_RACES = 4  # looks in a row that somebody else won, before leaving the rest to the next wake-up
_log = structlog.get_logger()


@dataclass(frozen=True)
class Held:
    """One job of a claim."""

    id: UUID
    tenant_id: UUID
    sha256: str
    media_type: str
    age_years: float | None
    view: str | None
    created_at: datetime
    started_at: datetime
    pseudonym_key: bytes
    deadline: float | None = None  # on this process's monotonic clock, in seconds

    @property
    def late(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.deadline is not None and time.monotonic() >= self.deadline


@dataclass
class Claim:
    """Jobs of one modality and version under one lease; `lost` is set when the lease is no longer ours."""

    id: int
    modality: str
    priority: int
    version_sha256: str
    generation: int
    jobs: list[Held]
    began: float = field(default_factory=time.monotonic)
    lost: threading.Event = field(default_factory=threading.Event)
    version_id: UUID | None = None


class Claims:
    """Takes claims and ends them. Every write proves that the claim still owns the row."""

    def __init__(self, settings: Settings, database: Database, worker_id: UUID) -> None:
        self._settings, self._database, self._worker_id = settings, database, worker_id

    def take(self, refused: Sequence[UUID], lowest: int = PRIORITY_RANK["bulk"]) -> Claim | None:
        """The next claim, or None when nothing waits. What needs no computing any more is ended on the way.

        `refused` versions are left alone, and so are classes less urgent than `lowest`.
        """
        races = 0
        while races < _RACES:
            rows = self._look(refused, lowest)
            if not rows:
                return None
            if rows[0].id is None:
                races += 1
                continue
            claim = _claim(rows)
            self._end_overdue(claim, recalled=rows[0].recalled)
            if claim.jobs:
                return claim
            self.end(claim)
        return None

    def waits_before(self, rank: int) -> bool:
        """Whether a job of a more urgent class waits that this worker could take."""
        return bool(self._execute(turns.waits_before(self._settings.served, rank)))

    def finish(
        self, claim: Claim, answers: list[dict[str, Any]], studies: list[dict[str, str]], *, last: bool = False
    ) -> None:
        """Commit answers, the rows that are still ours and no others; with the `last` of them the claim is closed.

        Waits for a database that is restarting.
        """
        if not answers:
            if last:
                self.end(claim)
            return
        written = self._persist(claim, lambda: self._write(claim, answers, studies, last))
        states = {answer["job_id"]: answer["state"] for answer in answers}
        for job_id in written:
            JOBS_FINISHED.labels(claim.modality, states[str(job_id)]).inc()
        if stale := len(answers) - len(written):
            STALE_COMMITS.inc(stale)
            _log.warning("stale_answers_discarded", claim=claim.id, count=stale)

    def give_back(self, claim: Claim, jobs: Iterable[Held], cause: str, **how: Any) -> None:
        """Return jobs to the queue, uncharged unless `charged=True`."""
        ids = [job.id for job in jobs]
        if not ids:
            return
        statement = statements.give_back(
            claim.id, ids, cause=cause, most=self._settings.max_attempts, **{"charged": False, **how}
        )
        fault("worker.giving_back")
        self._persist(claim, lambda: self._execute(statement))
        fault("worker.given_back")

    def end(self, claim: Claim) -> None:
        """Close the claim if no row is left in it; else, or if the database is away, the lease runs out by itself."""
        try:
            self._execute(statements.end_claim(claim.id))
        except AWAY as error:
            _log.warning("claim_not_closed", claim=claim.id, error=type(error).__name__)

    def _end_overdue(self, claim: Claim, recalled: bool) -> None:
        ended = [job for job in claim.jobs if recalled or job.late]
        self.finish(claim, [failed(job, "version_recalled" if recalled else "deadline") for job in ended], [])
        claim.jobs = [job for job in claim.jobs if job not in ended]

    def _look(self, refused: Sequence[UUID], lowest: int) -> list[Row[Any]]:
        settings = self._settings
        statement = turns.claim(
            self._worker_id, settings.served, settings.claim_size, settings.lease_s, settings.ageing_s, refused, lowest
        )
        return self._execute(statement)

    def _write(
        self, claim: Claim, answers: list[dict[str, Any]], studies: list[dict[str, str]], last: bool
    ) -> list[UUID]:
        with self._database.begin() as session:
            written: list[UUID] = [row.id for row in session.execute(statements.finish(claim.id, answers))]
            ours = {str(job_id) for job_id in written}
            if named := [study for study in studies if study["job_id"] in ours]:
                session.execute(statements.attach_studies(named))
            if last:
                session.execute(statements.end_claim(claim.id))
            fault("worker.written")
        fault("worker.committed")
        return written

    def _execute(self, statement: Any) -> list[Row[Any]]:
        with self._database.begin() as session:
            return list(session.execute(statement))

    def _persist(self, claim: Claim, write: Callable[[], T]) -> T:
        return within_lease(write, self._settings.lease_s, claim.lost, claim=claim.id)


def _claim(rows: list[Row[Any]]) -> Claim:
    first = rows[0]
    for row in rows:
        QUEUE_SECONDS.labels(row.modality).observe((row.started_at - row.created_at).total_seconds())
    jobs = [
        Held(
            row.id,
            row.tenant_id,
            row.sha256,
            row.media_type,
            row.age_years,
            row.view,
            row.created_at,
            row.started_at,
            bytes(row.pseudonym_key),
            None if row.seconds_left is None else time.monotonic() + row.seconds_left,
        )
        for row in rows
    ]
    return Claim(
        first.claim_id,
        first.modality,
        first.priority,
        first.version_sha256,
        first.generation,
        jobs,
        version_id=first.version_id,
    )


def ended(job: Held, state: str) -> dict[str, Any]:
    """What every row says of a job that ends."""
    return {"job_id": str(job.id), "state": state, "input_sha256": job.sha256}


def failed(job: Held, code: str) -> dict[str, Any]:
    """A `failed` row: final, and not the input's fault."""
    return {**ended(job, "failed"), "code": code, "detail": say(code)}


LATE, WORKER_LOST = say("deadline"), say("worker_lost")
