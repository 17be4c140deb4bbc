"""Explanations: wished for by the gateway, held by a worker under a lease, ended under its fence."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Insert, Select, Text, TextClause, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import Update

from shared.db.tables import Rendition, ResultExplanation

MOST_ATTEMPTS = 3
HEAT = "heat"  # the rendition that is laid over the picture

_ID = PG_UUID(as_uuid=True)

# No transaction stays open while an explanation is made: it would hold back everybody's cursors.
_TAKE = text(
    """
    WITH next AS (
        SELECT e.job_id FROM explanations e JOIN jobs j ON j.id = e.job_id
        WHERE e.state = 'waiting' AND (e.lease_until IS NULL OR e.lease_until < now()) AND j.modality = ANY (:served)
        ORDER BY e.requested_at LIMIT 1 FOR UPDATE OF e SKIP LOCKED
    ),
    taken AS (
        UPDATE explanations e
        SET attempts = attempts + 1, lease_until = now() + make_interval(secs => :seconds)
        FROM next WHERE e.job_id = next.job_id RETURNING e.job_id, e.tenant_id, e.attempts
    )
    SELECT t.job_id, t.tenant_id, t.attempts, i.sha256, i.media_type, v.sha256 AS version, v.recalled_at
    FROM taken t JOIN results r ON r.job_id = t.job_id JOIN versions v ON v.id = r.version_id
    JOIN job_inputs i ON i.job_id = t.job_id AND i.position = 0
    """
).bindparams(bindparam("served", type_=ARRAY(Text)))

_HOLD = text(
    """
    UPDATE explanations SET lease_until = now() + make_interval(secs => :seconds)
    WHERE job_id = :job AND attempts = :attempt AND state = 'waiting' RETURNING job_id
    """
).bindparams(bindparam("job", type_=_ID))


def wish(tenant: UUID, job_id: UUID) -> Insert:
    """Ask for one; nothing changes when it was asked for before."""
    return insert(ResultExplanation).values(job_id=job_id, tenant_id=tenant).on_conflict_do_nothing()


def of_job(tenant: UUID, job_id: UUID) -> Select[ResultExplanation]:
    """How far it is; no row when nobody asked."""
    return select(ResultExplanation).where(ResultExplanation.tenant_id == tenant, ResultExplanation.job_id == job_id)


def take(served: Sequence[str], seconds: float) -> TextClause:
    """The oldest that nobody holds, of these modalities, for so many seconds: whose, of what input and version."""
    return _TAKE.bindparams(served=list(served), seconds=seconds)


def hold(job_id: UUID, attempt: int, seconds: float) -> TextClause:
    """Keep it for so many seconds from now; no row when somebody else has it."""
    return _HOLD.bindparams(job=job_id, attempt=attempt, seconds=seconds)


def give_back(job_id: UUID, attempt: int) -> Update:
    """Let others have it, uncharged."""
    return _own(job_id, attempt).values(attempts=attempt - 1, lease_until=None)


def made(job_id: UUID, attempt: int, answer: dict[str, Any]) -> Update:
    """End it with an answer; no row when somebody else has it."""
    return (
        _own(job_id, attempt)
        .values(state="made", answer=answer, made_at=func.now(), lease_until=None)
        .returning(ResultExplanation.job_id)
    )


def failed(job_id: UUID, attempt: int, code: str) -> Update:
    """End it without an answer."""
    return _own(job_id, attempt).values(state="failed", code=code, lease_until=None)


def drawn(tenant: UUID, job_id: UUID, sha256: str) -> Insert:
    """Remember the heat map's picture."""
    row = insert(Rendition).values(job_id=job_id, kind=HEAT, tenant_id=tenant, state="made", sha256=sha256)
    return row.on_conflict_do_update(
        index_elements=[Rendition.job_id, Rendition.kind], set_={"state": "made", "sha256": sha256}
    )


def _own(job_id: UUID, attempt: int) -> Update:
    return update(ResultExplanation).where(
        ResultExplanation.job_id == job_id, ResultExplanation.attempts == attempt, ResultExplanation.state == "waiting"
    )
