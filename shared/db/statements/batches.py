"""Batches: made once a key, filled a few hundred rows at a time, counted, read, cancelled, tried again.

Every statement names the tenant. What a batch counts and reads is found by indexes on `batch_id`.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.dialects.postgresql.dml import Insert as Upsert
from sqlalchemy.sql.dml import Delete

from shared.db.statements import jobs
from shared.db.statements.order import HORIZON
from shared.db.tables import Batch, BatchError, Job, JobInput, Study

SLICE = 500
_SAID = (
    *(Job.item, Job.modality, Job.priority, Job.requested_id, Job.client_ref, Job.subject_id),
    *(Job.site, Job.device, Job.acquired_at, Job.age_years, Job.sex, Job.view),
)
_ID = PG_UUID(as_uuid=True)

# The active version of every modality, as the claim would choose it for this tenant.
_MAKE = text(
    """
    INSERT INTO batches (id, tenant_id, principal_id, key, client_ref, comparison_id, pinned)
    SELECT :id, :tenant, :principal, :key, :client_ref, :comparison,
           COALESCE(jsonb_object_agg(modality, active_id), '{}')
    FROM (SELECT DISTINCT ON (modality) modality, active_id FROM deployments
          WHERE tenant_id = :tenant OR tenant_id IS NULL ORDER BY modality, tenant_id NULLS LAST) AS active
    WHERE active_id IS NOT NULL
    ON CONFLICT (principal_id, key) DO NOTHING
    """
).bindparams(*(bindparam(name, type_=_ID) for name in ("id", "tenant", "principal", "comparison")))

_COLUMNS = """
    id uuid, item text, modality text, priority smallint, requested_id uuid, study text, sha256 text, media_type text,
    size_bytes bigint, client_ref text, subject_id text, site text, device text, acquired_at timestamptz,
    age_years float8, sex text, view text, not_before timestamptz, not_after timestamptz, input_id uuid,
    study_id uuid"""
_FILL = text(
    f"""
    WITH item AS (SELECT * FROM jsonb_to_recordset(:items) AS i({_COLUMNS})),
    study AS (
        INSERT INTO studies (id, tenant_id, external_id, subject_id)
        SELECT DISTINCT ON (study) study_id, :tenant, study, subject_id FROM item WHERE study IS NOT NULL ORDER BY study
        ON CONFLICT (tenant_id, external_id)
        DO UPDATE SET subject_id = COALESCE(studies.subject_id, EXCLUDED.subject_id)
        RETURNING id, external_id
    ),
    job AS (
        INSERT INTO jobs (id, tenant_id, principal_id, batch_id, item, study_id, modality, priority, requested_id,
                          size_bytes, client_ref, subject_id, site, device, acquired_at, age_years, sex, view,
                          not_before, not_after, comparison_id)
        SELECT i.id, :tenant, :principal, :batch, i.item, study.id, i.modality, i.priority, i.requested_id,
               i.size_bytes, i.client_ref, i.subject_id, i.site, i.device, i.acquired_at, i.age_years, i.sex, i.view,
               i.not_before, i.not_after, (SELECT comparison_id FROM batches WHERE id = :batch)
        FROM item i LEFT JOIN study ON study.external_id = i.study
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, to_state, cause) SELECT :tenant, id, 'queued', 'submitted' FROM item
    )
    INSERT INTO job_inputs (id, tenant_id, job_id, sha256, size_bytes, media_type)
    SELECT input_id, :tenant, id, sha256, size_bytes, media_type FROM item
    """  # noqa: S608 - the names above, and nothing from outside
).bindparams(
    bindparam("items", type_=JSONB), *(bindparam(name, type_=_ID) for name in ("tenant", "principal", "batch"))
)

_COUNTS = text(
    f"""
    SELECT batch_id, state, count(*) AS jobs,
           count(*) FILTER (WHERE finished_at > now() - interval '60 seconds') AS drained,
           count(*) FILTER (WHERE finished_at IS NOT NULL AND ended_in < {HORIZON}) AS readable,
           now() AS now
    FROM jobs WHERE batch_id = ANY (:batches) AND tenant_id = :tenant GROUP BY batch_id, state
    """  # noqa: S608 - a constant
).bindparams(bindparam("tenant", type_=_ID), bindparam("batches", type_=ARRAY(_ID)))

# In slices that pass over what a worker is just committing, so that nobody waits for the other in a circle.
_SLICE = "ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED"
_CANCEL = text(
    f"""
    WITH before AS (
        SELECT id, state, claim_id FROM jobs
        WHERE batch_id = :batch AND tenant_id = :tenant AND state IN ('queued', 'running') {_SLICE}
    ),
    ended AS (
        UPDATE jobs j SET state = 'cancelled', claim_id = NULL, finished_at = now()
        FROM before WHERE j.id = before.id RETURNING j.id
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause, claim_id)
        SELECT :tenant, id, state, 'cancelled', 'requested', claim_id FROM before
    )
    SELECT count(*) FROM ended
    """  # noqa: S608 - a constant
).bindparams(bindparam("batch", type_=_ID), bindparam("tenant", type_=_ID), most=SLICE)
_RETRY = text(
    f"""
    WITH before AS (
        SELECT id, state FROM jobs
        WHERE batch_id = :batch AND tenant_id = :tenant AND state IN ('failed', 'dead') {_SLICE}
    ),
    again AS (
        UPDATE jobs j
        SET state = 'queued', attempts = 0, version_id = NULL, code = NULL, detail = NULL, started_at = NULL,
            finished_at = NULL, not_before = NULL,
            not_after = CASE WHEN j.not_after <= now() THEN NULL ELSE j.not_after END
        FROM before WHERE j.id = before.id RETURNING j.modality
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause)
        SELECT :tenant, id, state, 'queued', 'retried' FROM before
    )
    SELECT modality, count(*) AS jobs FROM again GROUP BY modality
    """  # noqa: S608 - a constant
).bindparams(bindparam("batch", type_=_ID), bindparam("tenant", type_=_ID), most=SLICE)


def make(*, comparison: UUID | None = None, **values: Any) -> TextClause:
    """Make a batch, unless its principal's key has made one: id, tenant, principal, key, client_ref."""
    return _MAKE.bindparams(comparison=comparison, **values)


def of_key(principal: UUID, key: str) -> Select[Batch]:
    """The batch of a key."""
    return select(Batch).where(Batch.principal_id == principal, Batch.key == key)


def one(tenant: UUID, batch: UUID) -> Select[Batch]:
    """A tenant's batch."""
    return select(Batch).where(Batch.tenant_id == tenant, Batch.id == batch)


def page(tenant: UUID, before: UUID | None, limit: int) -> Select[Batch]:
    """A tenant's batches, newest first."""
    query = select(Batch).where(Batch.tenant_id == tenant).order_by(Batch.id.desc()).limit(limit)
    return query if before is None else query.where(Batch.id < before)


def known(batch: UUID, items: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """Which of these items the batch has, and what each one's job says."""
    return (
        select(*_SAID, JobInput.sha256, Study.external_id.label("study"))
        .join(JobInput, (JobInput.job_id == Job.id) & (JobInput.position == 0))
        .outerjoin(Study, Study.id == Job.study_id)
        .where(Job.batch_id == batch, Job.item.in_(items))
    )


def fill(tenant: UUID, principal: UUID, batch: UUID, items: list[dict[str, Any]]) -> TextClause:
    """Make the jobs of some items, with inputs, studies and first events."""
    return _FILL.bindparams(tenant=tenant, principal=principal, batch=batch, items=items)


def refuse(rows: list[dict[str, Any]]) -> Upsert:
    """Remember why items made no job."""
    statement = upsert(BatchError).values(rows)
    told = {name: statement.excluded[name] for name in ("line", "code", "detail")}
    return statement.on_conflict_do_update(index_elements=[BatchError.batch_id, BatchError.item], set_=told)


def accepted(batch: UUID, items: Sequence[str]) -> Delete:
    """Forget why items were refused before."""
    return delete(BatchError).where(BatchError.batch_id == batch, BatchError.item.in_(items))


def errors(batch: UUID, limit: int) -> Select[BatchError]:
    """The refused items of a batch, in the order of their lines."""
    return (
        select(BatchError).where(BatchError.batch_id == batch).order_by(BatchError.line, BatchError.item).limit(limit)
    )


def refused(batches: Sequence[UUID]) -> Select[UUID, int]:
    """How many items of each batch were refused."""
    query = select(BatchError.batch_id, func.count()).where(BatchError.batch_id.in_(batches))
    return query.group_by(BatchError.batch_id)


def inputs(tenant: UUID, addresses: Sequence[str]) -> Select[str, int, str]:
    """Size and media type of the tenant's own stored inputs."""
    return (
        select(
            JobInput.sha256,
            func.max(JobInput.size_bytes).label("size_bytes"),
            func.max(JobInput.media_type).label("media_type"),
        )
        .where(JobInput.tenant_id == tenant, JobInput.sha256.in_(addresses))
        .group_by(JobInput.sha256)
    )


def counts(tenant: UUID, batches: Sequence[UUID]) -> TextClause:
    """Jobs of each batch by state; how many ended in the last minute; how many ended ones can be read already."""
    return _COUNTS.bindparams(tenant=tenant, batches=list(batches))


def ended(tenant: UUID, batch: UUID, after: tuple[int, UUID] | None, limit: int) -> Select[*tuple[Any, ...]]:
    """What has ended, in an order in which nothing is ever inserted before what was read."""
    query = jobs.visible(tenant).where(
        Job.batch_id == batch, Job.finished_at.is_not(None), Job.ended_in < text(HORIZON)
    )
    if after is not None:
        query = query.where(text("(jobs.ended_in, jobs.id) > (:after_in, :after_id)"))
        query = query.params(after_in=after[0], after_id=after[1])
    return query.order_by(Job.ended_in, Job.id).limit(limit)


def cancel(tenant: UUID, batch: UUID) -> TextClause:
    """End up to SLICE jobs that wait or run; returns how many."""
    return _CANCEL.bindparams(tenant=tenant, batch=batch)


def retry(tenant: UUID, batch: UUID) -> TextClause:
    """Queue up to SLICE jobs again that failed or were given up; rows of modality and how many."""
    return _RETRY.bindparams(tenant=tenant, batch=batch)
