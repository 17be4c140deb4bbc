"""A short history of a healthy service, made by its own statements: what a judge of histories must find nothing in."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text

from services.api.webhooks import signing
from services.worker.claims import WORKER_LOST, Claim, Claims, failed
from shared import judging
from shared.db.engine import Database
from shared.db.statements import audit, explanations, jobs
from shared.db.statements import claims as statements
from shared.db.tables import (
    Adjudication,
    Delivery,
    JobEvent,
    Result,
    ShadowResult,
    Version,
    Webhook,
    Worker,
    new_id,
)
from shared.decide import calibrated
from shared.deployments import Why, find, promote
from shared.schemas import Basis, Card, Label, Modality, Verdict
from shared.settings import Settings
from tests.chaos.identity import canary, index_of, make, publish_echo, score_of
from tests.chaos.journal import Entry, Operation
from tests.support.receiver import Message
from tests.support.stack import Hospital

_SECRET = b"s" * 32


@dataclass
class History:
    """Jobs by number, and what clients and receivers remember of them. `lease_s` has to be short: leases run out."""

    settings: Settings
    database: Database
    hospital: Hospital
    entries: list[Entry] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    jobs: dict[int, UUID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        publish_echo(self.settings, self.database, "echo-1")
        self.next = publish_echo(self.settings, self.database, "echo-2")
        self._claims = Claims(self.settings, self.database, self._worker())

    def live(self) -> "History":
        """Answered in groups, given back, cancelled, dead, tried again, promoted meanwhile."""
        self._listen()
        for number in range(1, 5):
            self.submit(number)
        self._answer(self._take())
        self.submit(5)
        self._cancel(5)
        self.submit(6)
        self._lose_every_attempt()
        self.submit(7)
        claim = self._take()
        self._claims.give_back(claim, claim.jobs, "worker_stopping")
        self._claims.end(claim)
        self._promote()
        self._answer(self._take())
        self.submit(8)
        self._retry(8)
        self._judge(4, settled=True)
        self._judge(7, settled=False)
        self._explain(7)
        self._shadow(7)
        for number in self.jobs:
            self.get(number)
        self._deliver()
        return self

    def submit(self, number: int) -> None:
        """As the gateway does it, and as a client remembers it."""
        body = make(number)
        (job_id,) = self.hospital.submit(body, "image/png", Modality.CHEST_XRAY, subject_id=canary(number))
        event = {"tenant_id": self.hospital.tenant_id, "job_id": job_id, "to_state": "queued", "cause": "submitted"}
        with self.database.begin() as session:
            session.execute(insert(JobEvent).values(event))
            session.execute(audit.event(self._actor(), "job.submit", "job", str(job_id), None))
        sha256 = hashlib.sha256(body).hexdigest()
        self.jobs[number] = job_id
        sent = {"idempotency_key": f"key-{number}", "request": sha256, "subject": canary(number), "sha256": sha256}
        self.remember(Operation.SUBMIT, 202, job_id=str(job_id), **sent)

    def get(self, number: int) -> None:
        """A client that reads a job."""
        job = self.hospital.job(self.jobs[number])
        with self.database.begin() as session:
            session.execute(audit.event(self._actor(), "job.read", "job", str(job.id), None))
        name = str(job.id)
        more = {"state": job.state, "number": number if job.state == "succeeded" else None}
        self.remember(Operation.GET, 200, asked=name, job_id=name, subject=job.subject_id, more=more)

    def remember(self, operation: Operation, status: int, **facts: Any) -> None:
        """A line of the journal."""
        now = datetime.now(UTC)
        entry = Entry(new_id().hex, operation, now, now, **{"tenant": "north", "status": status, **facts})
        self.entries.append(entry)

    def _worker(self) -> UUID:
        worker_id = new_id()
        with self.database.begin() as session:
            session.add(Worker(id=worker_id, host="test", pid=1, modalities=["chest_xray"], report={}))
        return worker_id

    def _actor(self) -> audit.Actor:
        return audit.Actor(self.hospital.tenant_id, self.hospital.principal_id, None)

    def _take(self) -> Claim:
        claim = self._claims.take([])
        assert claim is not None
        return claim

    def _answer(self, claim: Claim) -> None:
        with self.database.begin() as session:
            version = session.scalars(select(Version).where(Version.sha256 == claim.version_sha256)).one()
        numbers = {job_id: number for number, job_id in self.jobs.items()}
        rows = [answer(claim, version, str(job.id), job.sha256, numbers[job.id]) for job in claim.jobs]
        self._claims.finish(claim, rows, [])
        self._claims.end(claim)

    def _cancel(self, number: int) -> None:
        job_id = self.jobs[number]
        with self.database.begin() as session:
            session.execute(jobs.cancel(self.hospital.tenant_id, job_id))
            session.execute(audit.event(self._actor(), "job.cancel", "job", str(job_id), None))
        self.remember(Operation.CANCEL, 200, asked=str(job_id), job_id=str(job_id))

    def _lose_every_attempt(self) -> None:
        for _ in range(self.settings.max_attempts):
            self._take()
            time.sleep(self.settings.lease_s + 0.05)
            with self.database.begin() as session:
                session.execute(statements.reap(self.settings.max_attempts, WORKER_LOST))

    def _retry(self, number: int) -> None:
        claim = self._take()
        self._claims.finish(claim, [failed(claim.jobs[0], "predict_failed")], [])
        self._claims.end(claim)
        with self.database.begin() as session:
            session.execute(jobs.retry(self.hospital.tenant_id, self.jobs[number]))
        self._answer(self._take())

    def _judge(self, number: int, *, settled: bool) -> None:
        """Somebody disagrees; somebody else reads it again, or is waited for."""
        job_id = self.jobs[number]
        with self.database.begin() as session:
            ada, ben = (
                judging.Reader(self.hospital.tenant_id, self.hospital.principal_id, name) for name in ("ada", "ben")
            )
            decision = session.scalars(select(Result.decision).where(Result.job_id == job_id)).one()
            label = Label.ABSENT if decision == "flagged" else Label.PRESENT
            judging.give(session, ada, job_id, judging.Opinion(Verdict.DISAGREE, Basis.PCR, True, label))
            if settled:
                one = session.scalars(select(Adjudication.id).where(Adjudication.job_id == job_id)).one()
                judging.adjudicate(session, ben, one, judging.Reading(label, Basis.RADIOLOGIST, False))

    def _explain(self, number: int) -> None:
        with self.database.begin() as session:
            session.execute(explanations.wish(self.hospital.tenant_id, self.jobs[number]))
            taken = session.execute(explanations.take(["chest_xray"], 60)).one()
            score = session.scalars(select(Result.score).where(Result.job_id == taken.job_id)).one()
            session.execute(explanations.made(taken.job_id, taken.attempts, {"score": score}))

    def _shadow(self, number: int) -> None:
        """What the version that was active before would have said."""
        with self.database.begin() as session:
            result = session.scalars(select(Result).where(Result.job_id == self.jobs[number])).one()
            other = session.scalars(select(Version.id).where(Version.name == "echo-1")).one()
            said = {"score": result.score - 0.25, "distance": 0.0, "probability": 0.5, "decision": "flagged", "ms": 1.0}
            row = {"job_id": result.job_id, "version_id": other, "tenant_id": result.tenant_id}
            now = datetime.now(UTC)
            session.execute(insert(ShadowResult).values(**row, **said, answered_at=now, finished_at=now))

    def _promote(self) -> None:
        with self.database.begin() as session:
            version = session.scalars(select(Version).where(Version.sha256 == self.next)).one()
            moved = promote(session, version, find(session, "chest_xray").generation, Why("test", "better"))
            told = {"modality": "chest_xray", "generation": moved.generation, "version": version.sha256}
        self.remember(Operation.PROMOTE, 200, more=told)

    def _listen(self) -> None:
        with self.database.begin() as session:
            owner = {"tenant_id": self.hospital.tenant_id, "principal_id": self.hospital.principal_id}
            hook = {"url": "http://127.0.0.1/hook", "events": ["job.finished"], "secret": _SECRET}
            session.execute(insert(Webhook).values(id=new_id(), **owner, **hook))

    def _deliver(self) -> None:
        with self.database.begin() as session:
            session.execute(
                text("UPDATE deliveries SET state = 'sent', attempts = 1, answer = '204', ended_at = now()")
            )
            for row in session.scalars(select(Delivery)):
                body = json.dumps({"data": {"job_id": str(row.job_id), "status": row.status}}).encode()
                self.messages.append(Message("/hook", signing.headers(f"msg_{row.id}", 1, body, [_SECRET]), body))


def answer(claim: Claim, version: Version, job_id: str, sha256: str, number: int) -> dict[str, Any]:
    """What a worker commits for an echo version's answer to the picture of a number."""
    score = score_of(number, index_of(version.name))
    probability = calibrated(Card.model_validate(version.card), score)
    runtime = {"engine": "onnxruntime", "precision": "f32", "device": "cpu", "generation": str(claim.generation)}
    return {
        "job_id": job_id,
        "state": "succeeded",
        "input_sha256": sha256,
        "score": score,
        "distance": 0.0,
        "probability": probability,
        "decision": "flagged" if probability >= 0.5 else "not_flagged",
        "quality": [],
        "reasons": [],
        "runtime": runtime,
        "timings": {},
    }
