"""Comparisons of two versions: which inputs, what is still to be answered, and both answers side by side."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Insert, Select, TextClause, bindparam, func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

from shared.db.statements import jobs
from shared.db.statements.judged import VERDICTS
from shared.db.statements.wanted import Wanted
from shared.db.tables import Batch, Comparison, ComparisonInput, Job, JobInput, Result

SLICE = 500
_ID = PG_UUID(as_uuid=True)

# Both answers to each input, the flips first, then by how far the probabilities are apart. Where a version answered an
# input several times, the answer to the job that was compared goes before the latest. `refer` is an answer, no side.
_ANSWER = """
    SELECT r.job_id, r.probability, r.decision
    FROM job_inputs i JOIN results r ON r.job_id = i.job_id
    WHERE i.tenant_id = c.tenant_id AND i.sha256 = c.sha256 AND i.position = 0 AND r.version_id = :{0}
    ORDER BY r.job_id = c.job_id DESC, r.job_id DESC LIMIT 1"""
_PAIRS = text(
    f"""
    WITH compared AS MATERIALIZED (
        SELECT c.tenant_id, c.sha256, c.job_id FROM comparison_inputs c
        WHERE c.comparison_id = :comparison AND c.tenant_id = :tenant
    ),
    said AS (
        SELECT i.sha256, l.label, l.adjudicated, bool_or(l.adjudicated) OVER (PARTITION BY i.sha256) AS outranked
        FROM compared c
        JOIN job_inputs i ON i.tenant_id = c.tenant_id AND i.sha256 = c.sha256 AND i.position = 0
        JOIN ({VERDICTS}) l ON l.job_id = i.job_id AND l.tenant_id = c.tenant_id
        JOIN results r ON r.job_id = l.job_id
        JOIN versions v ON v.id = r.version_id
        JOIN versions f ON f.id = :first AND (f.modality, f.finding) = (v.modality, v.finding)
        WHERE l.label IS NOT NULL
    ),
    truth AS (
        SELECT sha256, min(label) = 'present' AS present
        FROM said WHERE adjudicated OR NOT outranked GROUP BY sha256 HAVING min(label) = max(label)
    )
    SELECT c.sha256, c.job_id, j.client_ref, j.subject_id, t.present,
           a.job_id AS first_job, a.decision AS first_decision, a.probability AS first_probability,
           b.job_id AS second_job, b.decision AS second_decision, b.probability AS second_probability
    FROM compared c JOIN jobs j ON j.id = c.job_id
    LEFT JOIN LATERAL ({_ANSWER.format("first")}) a ON true
    LEFT JOIN LATERAL ({_ANSWER.format("second")}) b ON true
    LEFT JOIN truth t ON t.sha256 = c.sha256
    ORDER BY (a.decision, b.decision) IN (('flagged', 'not_flagged'), ('not_flagged', 'flagged')) DESC NULLS LAST,
             a.decision <> b.decision DESC NULLS LAST,
             abs(a.probability - b.probability) DESC NULLS LAST, c.sha256
    """  # noqa: S608 - constants
).bindparams(*(bindparam(name, type_=_ID) for name in ("comparison", "tenant", "first", "second")))


def make(**values: Any) -> Insert:
    """Make one with these columns, unless its principal's key has made one."""
    return upsert(Comparison).values(**values).on_conflict_do_nothing().returning(Comparison.id)


def of_key(principal: UUID, key: str) -> Select[Comparison]:
    """The comparison of a key."""
    return select(Comparison).where(Comparison.principal_id == principal, Comparison.key == key)


def one(tenant: UUID, comparison: UUID) -> Select[Comparison]:
    """A tenant's comparison."""
    return select(Comparison).where(Comparison.tenant_id == tenant, Comparison.id == comparison)


def page(tenant: UUID, before: UUID | None, limit: int) -> Select[Comparison]:
    """A tenant's comparisons, newest first."""
    query = select(Comparison).where(Comparison.tenant_id == tenant).order_by(Comparison.id.desc()).limit(limit)
    return query if before is None else query.where(Comparison.id < before)


def gather(tenant: UUID, comparison: UUID, wanted: Wanted) -> Insert:
    """Take every input of the jobs that are wanted, once."""
    found = jobs.among_inputs(tenant, wanted).subquery()
    rows = select(literal(comparison), found.c.sha256, literal(tenant), found.c.job_id)
    return insert(ComparisonInput).from_select(["comparison_id", "sha256", "tenant_id", "job_id"], rows)


def missing(tenant: UUID, comparison: UUID, version: UUID, after: str) -> Select[*tuple[Any, ...]]:
    """Inputs behind an address that a version has not answered for the tenant: their job and stored input."""
    return (
        select(Job, JobInput)
        .join(ComparisonInput, ComparisonInput.job_id == Job.id)
        .join(JobInput, (JobInput.job_id == Job.id) & (JobInput.position == 0))
        .where(Job.tenant_id == tenant, ComparisonInput.sha256 > after, *_lacking(tenant, comparison, version))
        .order_by(ComparisonInput.sha256)
        .limit(SLICE)
    )


def lacks(tenant: UUID, comparison: UUID, version: UUID) -> Select[int]:
    """How many inputs a version has not answered for the tenant."""
    return select(func.count()).select_from(ComparisonInput).where(*_lacking(tenant, comparison, version))


def _lacking(tenant: UUID, comparison: UUID, version: UUID) -> list[ColumnElement[bool]]:
    stored = aliased(JobInput)
    answered = (
        select(Result.job_id)
        .join(stored, (stored.job_id == Result.job_id) & (stored.position == 0))
        .where(stored.tenant_id == tenant, stored.sha256 == ComparisonInput.sha256, Result.version_id == version)
        .correlate(ComparisonInput)
    )
    ours = (ComparisonInput.comparison_id == comparison, ComparisonInput.tenant_id == tenant)
    return [*ours, ~answered.exists()]


def pairs(comparison: Comparison) -> TextClause:
    """Every input with both answers, or without one; the flips first."""
    return _PAIRS.bindparams(
        comparison=comparison.id,
        tenant=comparison.tenant_id,
        first=comparison.first_id,
        second=comparison.second_id,
    )


def states(tenant: UUID, comparison: UUID) -> Select[str, int]:
    """How many of its own jobs are in each state."""
    return (
        select(Job.state, func.count().label("jobs"))
        .join(Batch, Batch.id == Job.batch_id)
        .where(Batch.comparison_id == comparison, Batch.tenant_id == tenant, Job.tenant_id == tenant)
        .group_by(Job.state)
    )


def batches(tenant: UUID, comparison: UUID) -> Select[UUID]:
    """The batches that its own jobs are in."""
    return select(Batch.id).where(Batch.comparison_id == comparison, Batch.tenant_id == tenant).order_by(Batch.id)
