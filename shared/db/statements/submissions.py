"""The rows of one submission: idempotency key, study, job, input, first event, audit."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, Text, TextClause, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.dml import ReturningInsert

from shared.db.tables import IdempotencyKey, Job

COLUMNS = (
    "tenant_id",
    "principal_id",
    "modality",
    "priority",
    "requested_id",
    "client_ref",
    "subject_id",
    "site",
    "device",
    "acquired_at",
    "age_years",
    "sex",
    "view",
    "not_before",
    "not_after",
    "size_bytes",
)
_SUBMIT = text(
    f"""
    WITH taken AS (
        INSERT INTO idempotency_keys AS k (principal_id, key, tenant_id, request_sha256, job_id)
        SELECT :principal_id, :key, :tenant_id, :fingerprint, :id WHERE :key IS NOT NULL
        ON CONFLICT (principal_id, key) DO UPDATE
        SET request_sha256 = EXCLUDED.request_sha256, job_id = EXCLUDED.job_id, created_at = now()
        WHERE k.created_at <= now() - make_interval(hours => :hours)
        RETURNING k.job_id
    ),
    ours AS (SELECT WHERE :key IS NULL OR EXISTS (SELECT FROM taken)),
    study AS (
        INSERT INTO studies AS s (id, tenant_id, external_id, subject_id)
        SELECT :study, :tenant_id, :study_named, :subject_id FROM ours WHERE :study_named IS NOT NULL
        ON CONFLICT (tenant_id, external_id) DO UPDATE SET subject_id = coalesce(s.subject_id, EXCLUDED.subject_id)
        RETURNING s.id
    ),
    job AS (
        INSERT INTO jobs (id, study_id, {", ".join(COLUMNS)})
        SELECT :id, (SELECT id FROM study), {", ".join(f":{name}" for name in COLUMNS)} FROM ours
        RETURNING id, tenant_id, principal_id, study_id, created_at
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, to_state, cause)
        SELECT tenant_id, id, 'queued', 'submitted' FROM job
    ),
    input AS (
        INSERT INTO job_inputs (id, tenant_id, job_id, sha256, size_bytes, media_type)
        SELECT :input, tenant_id, id, :sha256, :size_bytes, :media_type FROM job
    ),
    audit AS (
        INSERT INTO audit_events (tenant_id, principal_id, credential_id, action, object_type, object_id, request_id)
        SELECT tenant_id, principal_id, :credential_id, 'job.submit', 'job', id::text, :request_id FROM job
    )
    SELECT created_at, study_id, (
        SELECT count(*) FROM (
            SELECT FROM jobs
            WHERE tenant_id = :tenant_id AND modality = :modality AND state = 'queued'
              AND (priority < :priority OR (priority = :priority AND id < :id))
            LIMIT 1000) AS before) AS ahead
    FROM job
    """  # noqa: S608 - the names above, and nothing from outside
).bindparams(
    *(bindparam(name, type_=Job.__table__.c[name].type) for name in ("id", *COLUMNS)),
    *(bindparam(name, type_=Job.__table__.c.id.type) for name in ("input", "study", "credential_id")),
    *(bindparam(name, type_=Text()) for name in ("key", "fingerprint", "study_named", "sha256", "media_type")),
    bindparam("request_id", type_=Text()),
    bindparam("hours", type_=Integer()),
)

_FORGET = text(
    """
    DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM idempotency_keys WHERE created_at <= now() - make_interval(hours => :hours)
        LIMIT :most FOR UPDATE SKIP LOCKED))
    """
)


def remembered(principal: UUID, key: str, hours: int) -> Select[UUID, str]:
    """The job that this key made, and the request it stood for; no row when the key is new or too old."""
    return select(IdempotencyKey.job_id, IdempotencyKey.request_sha256).where(
        IdempotencyKey.principal_id == principal, IdempotencyKey.key == key, IdempotencyKey.created_at > _since(hours)
    )


def remember(
    principal: UUID, tenant: UUID, key: str, request_sha256: str, job_id: UUID, hours: int
) -> ReturningInsert[UUID]:
    """Take a key for a job; no row when somebody else holds it. Waits for whoever takes it at the same time."""
    statement = upsert(IdempotencyKey).values(
        principal_id=principal, key=key, tenant_id=tenant, request_sha256=request_sha256, job_id=job_id
    )
    fresh = {"request_sha256": request_sha256, "job_id": job_id, "created_at": func.now()}
    return statement.on_conflict_do_update(
        index_elements=[IdempotencyKey.principal_id, IdempotencyKey.key],
        set_=fresh,
        where=IdempotencyKey.created_at <= _since(hours),
    ).returning(IdempotencyKey.job_id)


def forget(hours: int, most: int) -> TextClause:
    """Delete up to `most` keys that are too old to be used; what another gateway deletes is left to it."""
    return _FORGET.bindparams(hours=hours, most=most)


def job() -> TextClause:
    """The job with its key, its study, its input, the first event of its life and who sent it, all or nothing.

    Returns when it was made, its study's id and how many of its tenant's jobs go first (at most 1,000); no row when
    somebody else holds the key. Waits for whoever takes the key at the same time. A study that is known learns what it
    did not know of its subject. Executed with `id`, `input` and `study` (ids for new rows), `key` and `study_named`
    (each may be None), `fingerprint`, `hours`, `sha256`, `media_type`, `credential_id`, `request_id` and `COLUMNS`.
    """
    return _SUBMIT


def _since(hours: int) -> Any:
    return func.now() - timedelta(hours=hours)
