"""Jobs as the gateway sees them: every statement about a patient's data names the tenant."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, TextClause, select, text

from shared.db.tables import Job
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


def ended(ids: Sequence[UUID]) -> Select[UUID]:
    """Which of these jobs have reached a terminal state; who asks has shown before that they are his."""
    return select(Job.id).where(Job.id.in_(ids), Job.state.in_([str(state) for state in TERMINAL]))


def queue_depth() -> TextClause:
    """Waiting jobs and the age of the oldest in seconds, by modality."""
    return _QUEUE_DEPTH


def workers_alive() -> TextClause:
    """How many live workers serve each modality."""
    return _WORKERS_ALIVE
