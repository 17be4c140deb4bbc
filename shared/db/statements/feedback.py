"""Verdicts and what follows from them: who judged a result, what is contested, its review. Scoped to the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, TextClause, Update, bindparam, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import defer

from shared.db.statements.wanted import given
from shared.db.tables import Adjudication, Feedback, IdempotencyKey, Job, Principal, Result, Version

STANDING: ColumnElement[bool] = Feedback.withdrawn_at.is_(None) & Feedback.replaced_at.is_(None)
_JOB = bindparam("job", type_=PG_UUID(as_uuid=True))

# What stands of a result's verdicts and second readings, as its one review. A label is told where all agree on it.
_REVIEW = text(
    """
    WITH said AS (
        SELECT bool_or(verdict = 'disagree') AS disagreed, bool_or(verdict = 'agree') AS agreed,
               array_agg(DISTINCT label) FILTER (WHERE verdict = 'disagree') AS corrected,
               array_agg(DISTINCT label) FILTER (WHERE verdict = 'agree' AND label IS NOT NULL) AS confirmed
        FROM feedback WHERE job_id = :job AND withdrawn_at IS NULL AND replaced_at IS NULL
    ),
    second AS (
        SELECT bool_or(state = 'open') AS open, max(label) FILTER (WHERE state = 'adjudicated') AS label
        FROM adjudications WHERE job_id = :job
    ),
    known AS (
        SELECT CASE WHEN second.open THEN 'in_adjudication' WHEN second.label IS NOT NULL THEN 'adjudicated'
                    WHEN disagreed THEN 'disagreed' WHEN agreed THEN 'agreed' END AS review,
               CASE WHEN second.open THEN NULL WHEN second.label IS NOT NULL THEN second.label
                    WHEN disagreed AND cardinality(corrected) = 1 THEN corrected[1]
                    WHEN NOT disagreed AND cardinality(confirmed) = 1 THEN confirmed[1] END AS label
        FROM said, second
    )
    UPDATE results r SET review = known.review, review_label = known.label, reviewed_at = now()
    FROM known
    WHERE r.job_id = :job AND (r.review, r.review_label) IS DISTINCT FROM (known.review, known.label)
    """
).bindparams(_JOB)


@dataclass(frozen=True)
class Wanted:
    """Which of a tenant's verdicts a page shows; everything is optional."""

    verdict: str | None = None
    basis: str | None = None
    modality: str | None = None
    version: str | None = None
    job: UUID | None = None
    standing: bool | None = None
    created_after: datetime | None = None
    before: UUID | None = None


def held(tenant: UUID, job_id: UUID) -> Select[str]:
    """The decision of a tenant's result, held until the transaction ends: whoever changes its verdicts begins here."""
    return select(Result.decision).where(Result.job_id == job_id, Result.tenant_id == tenant).with_for_update()


def replace(job_id: UUID, person: str) -> Update:
    """The reader's standing verdict on this result makes room for the next one."""
    mine = update(Feedback).where(Feedback.job_id == job_id, Feedback.person == person, STANDING)
    return mine.values(replaced_at=func.now()).execution_options(synchronize_session=False)


def withdraw(feedback_id: UUID) -> Update:
    """Withdraw a standing verdict; no row when it does not stand any more."""
    one = update(Feedback).where(Feedback.id == feedback_id, STANDING)
    return one.values(withdrawn_at=func.now()).returning(Feedback.id).execution_options(synchronize_session=False)


def labels(job_id: UUID) -> Select[str | None]:
    """The labels that stand and that no second reading has weighed yet."""
    return select(Feedback.label).where(
        Feedback.job_id == job_id, STANDING, Feedback.label.is_not(None), Feedback.adjudication_id.is_(None)
    )


def weighed(job_id: UUID, adjudication: UUID) -> Update:
    """A second reading has weighed what stands."""
    open_ = update(Feedback).where(Feedback.job_id == job_id, STANDING, Feedback.adjudication_id.is_(None))
    return open_.values(adjudication_id=adjudication).execution_options(synchronize_session=False)


def has_judged(job_id: UUID, person: str) -> Select[UUID]:
    """Whether this person ever judged the result, withdrawn or not, as first or second reader."""
    first = select(Feedback.id).where(Feedback.job_id == job_id, Feedback.person == person)
    second = select(Adjudication.id).where(Adjudication.job_id == job_id, Adjudication.person == person)
    return first.union_all(second).limit(1)  # type: ignore[return-value]


def review(job_id: UUID) -> TextClause:
    """Write into the result what its review is now. Nothing is written, and nobody told, when it is so already."""
    return _REVIEW.bindparams(job=job_id)


def made_with(principal: UUID, key: str) -> Select[UUID]:
    """The verdict that a request with this Idempotency-Key gave: both rows have the time of one transaction."""
    return (
        select(Feedback.id)
        .join(IdempotencyKey, IdempotencyKey.created_at == Feedback.created_at)
        .where(IdempotencyKey.principal_id == principal, IdempotencyKey.key == key)
        .where(Feedback.principal_id == principal)
    )


def shown(tenant: UUID) -> Select[*tuple[Any, ...]]:
    """A tenant's verdicts with their readers' names, results and answering versions (without cards)."""
    return (
        select(Feedback, Principal.name, Job.modality, Result, Version)
        .join(Principal, Principal.id == Feedback.principal_id)
        .join(Job, Job.id == Feedback.job_id)
        .join(Result, Result.job_id == Feedback.job_id)
        .join(Version, Version.id == Result.version_id)
        .where(Feedback.tenant_id == tenant)
        .options(defer(Version.card, raiseload=True))
    )


def page(tenant: UUID, wanted: Wanted, limit: int) -> Select[*tuple[Any, ...]]:
    """A page of a tenant's verdicts, newest first."""
    return shown(tenant).where(*_conditions(wanted)).order_by(Feedback.id.desc()).limit(limit)


def _conditions(wanted: Wanted) -> Sequence[ColumnElement[bool]]:
    equal = {
        Feedback.verdict: wanted.verdict,
        Feedback.basis: wanted.basis,
        Feedback.job_id: wanted.job,
        Job.modality: wanted.modality,
    }
    conditions = given(equal)
    if wanted.version is not None:
        conditions.append(or_(Version.sha256 == wanted.version, Version.name == wanted.version))
    if wanted.standing is not None:
        conditions.append(STANDING if wanted.standing else ~STANDING)
    if wanted.created_after is not None:
        conditions.append(Feedback.created_at > wanted.created_after)
    if wanted.before is not None:
        conditions.append(Feedback.id < wanted.before)
    return conditions or [true()]
