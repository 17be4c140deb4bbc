"""The state of the service for those who look after it. Each statement reads a bounded number of rows."""

from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

MOST_WAITING = 100_000
MOST_ENDED = 20_000
_MOST_DEAD = 10_000

_QUEUES = text(
    f"""
    SELECT modality, priority, count(*) AS waiting,
           extract(epoch FROM now() - min(created_at))::float8 AS oldest_s
    FROM (SELECT modality, priority, created_at FROM jobs WHERE state = 'queued' LIMIT {MOST_WAITING}) AS waiting
    GROUP BY modality, priority ORDER BY modality, priority
    """  # noqa: S608 - our own number
)
_HELD = text("SELECT modality, count(*) AS held FROM jobs WHERE claim_id IS NOT NULL GROUP BY modality")
_ENDED = text(
    f"""
    SELECT modality, count(*) AS ended, min(finished_at) AS since,
           extract(epoch FROM now() - min(finished_at))::float8 AS seconds,
           count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE state = 'rejected') AS rejected,
           count(*) FILTER (WHERE state IN ('failed', 'dead')) AS failed
    FROM (
        SELECT modality, state, finished_at FROM jobs
        WHERE finished_at > now() - interval '1 hour' AND state <> 'cancelled'
        ORDER BY finished_at DESC LIMIT {MOST_ENDED}
    ) AS ended
    GROUP BY modality ORDER BY modality
    """  # noqa: S608 - our own number
)
_DEAD = text(
    f"""
    SELECT modality, code, count(*) AS jobs, max(finished_at) AS latest
    FROM (
        SELECT modality, code, finished_at FROM jobs WHERE state = 'dead' AND tenant_id = :tenant LIMIT {_MOST_DEAD}
    ) AS dead
    GROUP BY modality, code ORDER BY modality, code
    """  # noqa: S608 - our own number
).bindparams(bindparam("tenant", type_=PG_UUID(as_uuid=True)))
_WORKERS = text(
    """
    SELECT host, pid, modalities, report, started_at, seen_at, report ? 'recipes' AS trains,
           seen_at > now() - make_interval(secs => :seconds) AS alive
    FROM workers
    WHERE stopped_at IS NULL AND seen_at > now() - interval '1 hour'
    ORDER BY started_at LIMIT 500
    """
)
_FOR_VERSION = text(
    f"""
    SELECT count(*) FILTER (WHERE requested_id IS NULL) AS free,
           count(*) FILTER (WHERE requested_id = :version) AS bound
    FROM (
        SELECT requested_id FROM jobs WHERE state = 'queued' AND modality = :modality LIMIT {MOST_WAITING}
    ) AS waiting
    """  # noqa: S608 - our own number
).bindparams(bindparam("version", type_=PG_UUID(as_uuid=True)))


def queues() -> TextClause:
    """Jobs that wait by modality and class (`priority`, a rank), and the age of the oldest; counting ends somewhere."""
    return _QUEUES


def held() -> TextClause:
    """Jobs that a worker holds, by modality."""
    return _HELD


def ended() -> TextClause:
    """What ended in the last hour, by modality: the latest 20,000 of it, `since` when."""
    return _ENDED


def dead(tenant: UUID) -> TextClause:
    """A tenant's jobs that were given up and not tried again, by modality and code."""
    return _DEAD.bindparams(tenant=tenant)


def workers(seconds: float) -> TextClause:
    """Workers and trainers that wrote their row in the last hour; `alive`: within so many seconds."""
    return _WORKERS.bindparams(seconds=seconds)


def waiting_for(modality: str, version: UUID | None) -> TextClause:
    """Waiting jobs of a modality: those that name no version (`free`), and those that name this one (`bound`)."""
    return _FOR_VERSION.bindparams(modality=modality, version=version)
