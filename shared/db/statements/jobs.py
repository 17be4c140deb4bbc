"""Jobs as the gateway sees them: every statement about a patient's data names the tenant."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    SmallInteger,
    Text,
    TextClause,
    any_,
    bindparam,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import aliased, defer

from shared.db.statements.wanted import Wanted, conditions
from shared.db.tables import Job, JobInput, Result, Study, Version
from shared.schemas import TERMINAL

_QUEUE_DEPTH = text(
    """
    SELECT modality, count(*), extract(epoch FROM now() - min(created_at))::float8
    FROM jobs WHERE state = 'queued' GROUP BY modality
    """
)
_WORKERS_ALIVE = text(
    """
    SELECT modality, count(*) FROM workers, unnest(modalities) AS modality
    WHERE stopped_at IS NULL AND seen_at > now() - interval '30 seconds' GROUP BY modality
    """
)

_IDS = ARRAY(PG_UUID(as_uuid=True))

# Both counts are bounded and see the tenant's own jobs alone: how busy others are is not his to know, and the turns
# that hospitals take are in his own drain rate already, which is counted once however many of his jobs are asked for.
_OUTLOOKS = text(
    """
    WITH asked AS (
        SELECT * FROM unnest(:jobs, :tenants, :modalities, :priorities) AS a(id, tenant_id, modality, priority)
    ),
    done AS (
        SELECT lane.tenant_id, lane.modality, (
            SELECT count(*) FROM (
                SELECT FROM jobs
                WHERE finished_at > now() - interval '60 seconds' AND tenant_id = lane.tenant_id
                  AND modality = lane.modality AND state <> 'cancelled'
                LIMIT 5000) AS ended) AS drained
        FROM (SELECT DISTINCT tenant_id, modality FROM asked) AS lane
    )
    SELECT a.id, (
               SELECT count(*) FROM (
                   SELECT FROM jobs
                   WHERE tenant_id = a.tenant_id AND modality = a.modality AND state = 'queued'
                     AND (priority < a.priority OR (priority = a.priority AND id < a.id))
                   LIMIT 1000) AS before) AS ahead,
           done.drained, now() AS now
    FROM asked a JOIN done ON (done.tenant_id, done.modality) = (a.tenant_id, a.modality)
    """
).bindparams(
    bindparam("jobs", type_=_IDS),
    bindparam("tenants", type_=_IDS),
    bindparam("modalities", type_=ARRAY(Text)),
    bindparam("priorities", type_=ARRAY(SmallInteger)),
)

# What a submission's answer estimates with: counted apart from the job, and not for each.
_PACE = text(
    """
    SELECT count(*) AS drained FROM (
        SELECT FROM jobs
        WHERE finished_at > now() - interval '60 seconds' AND tenant_id = :tenant AND modality = :modality
          AND state <> 'cancelled'
        LIMIT 5000) AS ended
    """
).bindparams(bindparam("tenant", type_=PG_UUID(as_uuid=True)), bindparam("modality", type_=Text()))

# The claim loses its hold of the row with the same statement, so a worker that still computes cannot write any more.
_CANCEL = text(
    """
    WITH before AS (
        SELECT id, tenant_id, state, claim_id FROM jobs
        WHERE id = :job AND tenant_id = :tenant AND state IN ('queued', 'running') FOR UPDATE
    ),
    ended AS (
        UPDATE jobs j SET state = 'cancelled', claim_id = NULL, finished_at = now()
        FROM before WHERE j.id = before.id RETURNING j.id
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause, claim_id)
        SELECT tenant_id, id, state, 'cancelled', 'requested', claim_id FROM before
    )
    SELECT id FROM ended
    """
)

# A deadline that is over is forgotten: who asks again wants the answer late rather than never.
_RETRY = text(
    """
    WITH before AS (
        SELECT id, tenant_id, state FROM jobs
        WHERE id = :job AND tenant_id = :tenant AND state IN ('failed', 'dead') FOR UPDATE
    ),
    again AS (
        UPDATE jobs j
        SET state = 'queued', attempts = 0, version_id = NULL, code = NULL, detail = NULL, started_at = NULL,
            finished_at = NULL, not_before = NULL,
            not_after = CASE WHEN j.not_after <= now() THEN NULL ELSE j.not_after END
        FROM before WHERE j.id = before.id RETURNING j.id
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause)
        SELECT tenant_id, id, state, 'queued', 'retried' FROM before
    )
    SELECT id FROM again
    """
)

# Ten times a second with all that is waited for: one array, because a thousand parameters cost more than the look.
_ENDED = select(Job.id).where(
    Job.id == any_(bindparam("ids", type_=_IDS)),
    Job.state.in_([str(state) for state in TERMINAL]),
)

# Building this costs more than running it, so it is built once; nobody uses it but `visible`, which adds the tenant.
_ANSWERING, _REQUESTED = aliased(Version, name="answering"), aliased(Version, name="requested")
_WHOLE = (
    select(Job, JobInput, Result, Study.external_id, _ANSWERING, _REQUESTED)
    .join(JobInput, (JobInput.job_id == Job.id) & (JobInput.position == 0))
    .outerjoin(Result, Result.job_id == Job.id)
    .outerjoin(Study, Study.id == Job.study_id)
    .outerjoin(_ANSWERING, _ANSWERING.id == Result.version_id)
    .outerjoin(_REQUESTED, _REQUESTED.id == Job.requested_id)
    .options(defer(_ANSWERING.card, raiseload=True), defer(_REQUESTED.card, raiseload=True))
)

# Pairs, so that whoever asks for a job names the hospital that it must be of.
_PAIRED = tuple_(Job.tenant_id, Job.id).in_(
    select(func.unnest(bindparam("tenants", type_=_IDS)), func.unnest(bindparam("jobs", type_=_IDS)))
)
_AMONG = _WHOLE.where(_PAIRED)
_STATES = select(Job.tenant_id, Job.id, Job.state).where(_PAIRED)


def visible(tenant: UUID) -> Select[*tuple[Any, ...]]:
    """A tenant's jobs with input, result, study id, answering and requested version (without their cards)."""
    return _WHOLE.where(Job.tenant_id == tenant)


def page(tenant: UUID, wanted: Wanted, limit: int) -> Select[*tuple[Any, ...]]:
    """A page of a tenant's jobs, newest first. Those that only compare versions are on none."""
    return visible(tenant).where(*conditions(wanted)).order_by(Job.id.desc()).limit(limit)


def count(tenant: UUID, wanted: Wanted, most: int) -> Select[int]:
    """How many of a tenant's jobs these are; counting ends at `most`."""
    found = select(Job.id).outerjoin(Study, Study.id == Job.study_id).outerjoin(Result, Result.job_id == Job.id)
    return select(func.count()).select_from(
        found.where(Job.tenant_id == tenant, *conditions(wanted)).limit(most).subquery()
    )


def among_inputs(tenant: UUID, wanted: Wanted) -> Select[str, UUID]:
    """Every input of these jobs once, with the latest of the jobs that sent it."""
    found = select(JobInput.sha256, JobInput.job_id).join(Job, Job.id == JobInput.job_id)
    return (
        found.ext(distinct_on(JobInput.sha256))
        .outerjoin(Study, Study.id == Job.study_id)
        .outerjoin(Result, Result.job_id == Job.id)
        .where(Job.tenant_id == tenant, JobInput.position == 0, *conditions(wanted))
        .order_by(JobInput.sha256, JobInput.job_id.desc())
    )


def study(tenant: UUID, named: str, study_id: UUID | None) -> Select[Study]:
    """A tenant's study by its own id or by the hospital's."""
    either: list[ColumnElement[bool]] = [Study.external_id == named]
    if study_id is not None:
        either.append(Study.id == study_id)
    return select(Study).where(Study.tenant_id == tenant, or_(*either)).limit(1)


def among(pairs: Sequence[tuple[UUID, UUID]]) -> Select[*tuple[Any, ...]]:
    """The same as `visible`, of these jobs, each named with its tenant."""
    return _AMONG.params(_columns(pairs))


def states(pairs: Sequence[tuple[UUID, UUID]]) -> Select[UUID, UUID, str]:
    """Tenant, id and state of these jobs, each named with its tenant; nothing else of them."""
    return _STATES.params(_columns(pairs))


def latest(tenant: UUID) -> Select[UUID]:
    """The newest of a tenant's jobs that lists show."""
    return select(Job.id).where(Job.tenant_id == tenant, Job.comparison_id.is_(None)).order_by(Job.id.desc()).limit(1)


def ended(ids: Sequence[UUID]) -> Select[UUID]:
    """Which of these jobs have reached a terminal state; who asks has shown before that they are his."""
    return _ENDED.params(ids=list(ids))


def outlooks(jobs: Sequence[Job]) -> TextClause:
    """For each of these: how many of its tenant's jobs go first, and how many ended in the last minute."""
    return _OUTLOOKS.bindparams(
        jobs=[job.id for job in jobs],
        tenants=[job.tenant_id for job in jobs],
        modalities=[job.modality for job in jobs],
        priorities=[job.priority for job in jobs],
    )


def pace() -> TextClause:
    """How many of a tenant's jobs of a modality ended in the last minute. Executed with `tenant` and `modality`."""
    return _PACE


def cancel(tenant: UUID, job_id: UUID) -> TextClause:
    """End a job that waits or runs; no row when there is none such."""
    return _CANCEL.bindparams(tenant=tenant, job=job_id)


def retry(tenant: UUID, job_id: UUID) -> TextClause:
    """Queue a job again that failed or was given up; no row when there is none such."""
    return _RETRY.bindparams(tenant=tenant, job=job_id)


def queue_depth() -> TextClause:
    """Waiting jobs and the age of the oldest in seconds, by modality."""
    return _QUEUE_DEPTH


def workers_alive() -> TextClause:
    """How many live workers serve each modality."""
    return _WORKERS_ALIVE


def _columns(pairs: Sequence[tuple[UUID, UUID]]) -> dict[str, list[UUID]]:
    return {"tenants": [tenant for tenant, _ in pairs], "jobs": [job for _, job in pairs]}
