"""The rows of one submission: idempotency key, study, job, input, first event."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, Select, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.dml import ReturningInsert

from shared.db.tables import IdempotencyKey, Job, JobEvent, JobInput, Study, new_id


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


def study(tenant: UUID, external_id: str, subject_id: str | None) -> ReturningInsert[UUID]:
    """Find or make a study; what it did not know of its subject it learns."""
    statement = upsert(Study).values(id=new_id(), tenant_id=tenant, external_id=external_id, subject_id=subject_id)
    known = func.coalesce(Study.subject_id, statement.excluded.subject_id)
    return statement.on_conflict_do_update(
        index_elements=[Study.tenant_id, Study.external_id], set_={"subject_id": known}
    ).returning(Study.id)


def job(**values: Any) -> Insert:
    """The job's row."""
    return insert(Job).values(**values)


def job_input(**values: Any) -> Insert:
    """The row of its input."""
    return insert(JobInput).values(id=new_id(), position=0, **values)


def submitted(tenant: UUID, job_id: UUID) -> Insert:
    """The first event of its life."""
    return insert(JobEvent).values(tenant_id=tenant, job_id=job_id, to_state="queued", cause="submitted")


def _since(hours: int) -> Any:
    return func.now() - timedelta(hours=hours)
