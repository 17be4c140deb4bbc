"""What clients were told, by their journal, against what the service holds: every function yields what was broken."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from shared.schemas import TERMINAL
from tests.chaos.identity import CANARY, canary
from tests.chaos.journal import Entry, Operation
from tests.chaos.query import SHOWN, Violation

_JOBS = text(
    """
    SELECT j.id::text, t.name AS tenant, j.subject_id, i.sha256, j.state, j.batch_id IS NOT NULL AS bulk,
           j.batch_id::text AS batch,
           EXISTS (SELECT FROM job_events e WHERE e.job_id = j.id AND e.to_state = 'cancelled') AS cancelled,
           EXISTS (SELECT FROM job_events e WHERE e.job_id = j.id AND e.cause = 'retried') AS retried
    FROM jobs j JOIN tenants t ON t.id = j.tenant_id
    LEFT JOIN job_inputs i ON i.job_id = j.id AND i.position = 0
    """
)
_MOVES = text(
    """
    SELECT d.modality, m.generation, v.sha256 FROM deployment_events m
    JOIN deployments d ON d.id = m.deployment_id JOIN versions v ON v.id = m.to_id
    """
)
_STALE = text(
    "SELECT id, generation FROM claims WHERE modality = :modality AND started_at > :ended AND generation < :generation"
)
_AUDITED = text("SELECT object_id, action, count(*) AS times FROM audit_events WHERE object_type = 'job' GROUP BY 1, 2")


@dataclass(frozen=True)
class Held:
    """The journal beside the rows that it is about."""

    entries: Sequence[Entry]
    jobs: dict[str, Row[Any]]
    batches: set[str]
    session: Session

    @classmethod
    def of(cls, session: Session, entries: Sequence[Entry]) -> "Held":
        """Read the rows."""
        batches = set(session.scalars(text("SELECT id::text FROM batches")))
        return cls(entries, {row.id: row for row in session.execute(_JOBS)}, batches, session)

    def of_kind(self, *operations: Operation) -> list[Entry]:
        """The calls of these kinds that were answered well."""
        return [entry for entry in self.entries if entry.operation in operations and entry.accepted]


def violated(session: Session, entries: Sequence[Entry]) -> Iterator[Violation]:
    """Judge what was told by what is held."""
    held = Held.of(session, entries)
    for judge in (accepted, whole, stands, right_patient, right_answer, promoted, idempotent, once, refusals, audited):
        rows = tuple(judge(held))[:SHOWN]
        if rows:
            yield Violation(_INVARIANT[judge.__name__], (judge.__doc__ or "").strip().splitlines()[0], rows)


_INVARIANT = {
    "accepted": "I1",
    "whole": "I1",
    "stands": "I2",
    "right_patient": "I4",
    "right_answer": "I4",
    "promoted": "I6",
    "idempotent": "I7",
    "once": "I7",
    "refusals": "I12",
    "audited": "I16",
}


def accepted(held: Held) -> Iterable[Any]:
    """Whatever was accepted or shown exists: a job, a batch, a cancellation."""
    cancelled = {job_id for job_id, job in held.jobs.items() if job.cancelled}
    for entry in held.entries:
        kept: dict[Operation, tuple[str | None, Collection[str]]] = {
            Operation.SUBMIT: (entry.job_id, held.jobs),
            Operation.GET: (entry.asked, held.jobs),
            Operation.BATCH: (entry.more.get("batch_id"), held.batches),
            Operation.CANCEL: (entry.asked, cancelled),
        }
        name, names = kept.get(entry.operation, ("", ("",)))
        if entry.accepted and name not in names:
            yield entry.call, entry.operation, name


def whole(held: Held) -> Iterable[Any]:
    """A batch that was accepted has a job for each of its items."""
    made = Counter(job.batch for job in held.jobs.values() if job.bulk)
    for entry in held.of_kind(Operation.BATCH):
        batch, items = entry.more.get("batch_id"), entry.more.get("items")
        if items is not None and made[batch] != items:
            yield entry.call, batch, made[batch], items


def stands(held: Held) -> Iterable[Any]:
    """An end that was told is the end, unless somebody had the job tried again."""
    for entry in held.of_kind(Operation.GET):
        job, told = held.jobs.get(entry.asked or ""), entry.more.get("state")
        if job is not None and told in TERMINAL and told != job.state and not job.retried:
            yield entry.call, entry.asked, told, job.state


def right_patient(held: Held) -> Iterable[Any]:
    """The job of a submission is of the hospital, patient and bytes that were sent."""
    for entry in held.of_kind(Operation.SUBMIT):
        job = held.jobs.get(entry.job_id or "")
        if job is not None and not _same(entry, job):
            yield entry.call, entry.tenant, entry.subject, entry.sha256, *_identity(job)


def right_answer(held: Held) -> Iterable[Any]:
    """Every answer was of the job that was asked for, to the hospital that owns it, with its own patient's content."""
    for entry in held.of_kind(Operation.GET, Operation.CANCEL, Operation.RETRY):
        job = held.jobs.get(entry.asked or "")
        if job is not None and (entry.job_id != entry.asked or not _same(entry, job)):
            yield entry.call, entry.asked, entry.job_id
    for entry in held.of_kind(Operation.LIST):
        for job_id in entry.more.get("jobs", ()):
            if job_id not in held.jobs or held.jobs[job_id].tenant != entry.tenant:
                yield entry.call, job_id


def promoted(held: Held) -> Iterable[Any]:
    """A promotion that was answered is in the history, and no claim made since is of an older generation.

    Clients and database have to share a clock.
    """
    moves = {(row.modality, row.generation): row.sha256 for row in held.session.execute(_MOVES)}
    for entry in held.of_kind(Operation.PROMOTE, Operation.ROLLBACK):
        told = {"modality": entry.more["modality"], "generation": entry.more["generation"]}
        found = moves.get((told["modality"], told["generation"]))
        if found is None or entry.more.get("version", found) != found:
            yield entry.call, told, found
        for row in held.session.execute(_STALE.bindparams(ended=entry.ended_at, **told)):
            yield entry.call, told, tuple(row)


def idempotent(held: Held) -> Iterable[Any]:
    """One key stands for one request and one job; another request under it is answered 422."""
    for entries in _by_key(held.entries).values():
        first = next((entry for entry in entries if entry.accepted), None)
        if first is None:
            continue
        for entry in entries:
            if entry.accepted and _made(entry) != _made(first):
                yield first.call, entry.call, _made(first), _made(entry)
            elif entry.request != first.request and not _refused(entry, first):
                yield first.call, entry.call, entry.status


def once(held: Held) -> Iterable[Any]:
    """A patient's picture has no more jobs than requests were made for it, however often each was repeated."""
    asked: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for entry in held.entries:
        if entry.operation is Operation.SUBMIT and entry.subject:
            asked[entry.tenant, entry.subject].add(entry.idempotency_key or entry.call)
    made: dict[tuple[str | None, str], list[str]] = defaultdict(list)
    for job in held.jobs.values():
        if not job.bulk and (job.subject_id or "").startswith(CANARY):
            made[job.tenant, job.subject_id].append(job.id)
    for whose, jobs in made.items():
        if whose in asked and len(jobs) > len(asked[whose]):
            yield whose, jobs


def refusals(held: Held) -> Iterable[Any]:
    """Who is turned away for now is told after how many whole seconds to come again; nothing is an unnamed error."""
    for entry in held.entries:
        if entry.status in (429, 503) and not isinstance(entry.more.get("retry_after"), int):
            yield entry.call, entry.status, entry.more.get("retry_after")
        if entry.status is not None and entry.status >= 500 and entry.status not in (503, 507):
            yield entry.call, entry.status, entry.body


def audited(held: Held) -> Iterable[Any]:
    """Every submission that was accepted, every reading and every cancellation is in the audit log."""
    counts = {(row.object_id, row.action): row.times for row in held.session.execute(_AUDITED)}
    due: dict[tuple[str | None, str], int] = defaultdict(int)
    for entry in held.of_kind(Operation.SUBMIT):
        if entry.job_id in held.jobs:
            due[entry.job_id, "job.submit"] = 1
    for entry in held.of_kind(Operation.GET, Operation.CANCEL):
        due[entry.asked, "job.read" if entry.operation is Operation.GET else "job.cancel"] += 1
    for (job_id, action), least in due.items():
        if job_id in held.jobs and counts.get((job_id, action), 0) < least:
            yield job_id, action, counts.get((job_id, action), 0), least


def _identity(job: Row[Any]) -> tuple[Any, ...]:
    return job.tenant, job.subject_id, job.sha256


def _same(entry: Entry, job: Row[Any]) -> bool:
    """Whether what was sent or answered fits the job, as far as both say it; `number` is what its result echoed."""
    number = entry.more.get("number")
    pairs = zip((entry.tenant, entry.subject, entry.sha256), _identity(job), strict=True)
    echoed = number is None or canary(number) == job.subject_id
    return echoed and all(said == kept or None in (said, kept) for said, kept in pairs)


def _by_key(entries: Iterable[Entry]) -> dict[tuple[Any, ...], list[Entry]]:
    keyed: dict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.idempotency_key and entry.operation in (Operation.SUBMIT, Operation.BATCH):
            keyed[entry.operation, entry.tenant, entry.idempotency_key].append(entry)
    return keyed


def _made(entry: Entry) -> str | None:
    return entry.job_id or entry.more.get("batch_id")


def _refused(entry: Entry, first: Entry) -> bool:
    """Whether a different request under a used key was turned away; one that began earlier may have come later."""
    began_later = first.ended_at is not None and entry.at > first.ended_at
    return not entry.accepted and (not began_later or entry.status in (None, 408, 422, 429, 503, 507))
