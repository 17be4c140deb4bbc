"""How long it took, after a worker was killed, until the last of the jobs it held was in other hands or had ended."""

import math
from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.schemas import TERMINAL
from tests.chaos.processes import Kill

# The worker that had this pid then; the jobs that it held at that moment; the first event of each that frees it.
_RECOVERY = text(
    """
    WITH worker AS (
        SELECT id FROM workers WHERE pid = :pid AND started_at <= to_timestamp(:at) ORDER BY started_at DESC LIMIT 1
    ),
    held AS (
        SELECT e.id, e.job_id FROM worker JOIN claims c ON c.worker_id = worker.id
        JOIN job_events e ON e.claim_id = c.id AND e.to_state = 'running' AND e.at <= to_timestamp(:at)
        WHERE NOT EXISTS (
            SELECT FROM job_events f WHERE f.job_id = e.job_id AND f.id > e.id AND f.at <= to_timestamp(:at)
        )
    )
    SELECT held.job_id, extract(epoch FROM min(f.at) - to_timestamp(:at))::float8 AS seconds
    FROM held LEFT JOIN job_events f ON f.job_id = held.job_id AND f.id > held.id
        AND (f.to_state = 'running' OR f.to_state = ANY (:terminal))
    GROUP BY held.job_id
    """
)


def recoveries(session: Session, kills: Iterable[Kill]) -> list[float]:
    """Seconds, one for each kill of a worker that held something; infinite where a job never came back."""
    found = []
    for kill in kills:
        rows = session.execute(
            _RECOVERY.bindparams(pid=kill.pid, at=kill.at, terminal=[str(state) for state in TERMINAL])
        ).all()
        if rows:
            found.append(max(math.inf if row.seconds is None else float(row.seconds) for row in rows))
    return sorted(found)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the sorted ones does not pass; 0 when there is none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
