"""What waits and what was drained lately, by hospital: for admission. Each statement reads a bounded number of rows."""

from sqlalchemy import TextClause, text

WINDOW_S = 30
_MOST_DRAINED = 20_000

# Only the partial index of waiting jobs is right, whatever the statistics say about a table of finished ones.
_BY_INDEX = text("SET LOCAL enable_seqscan = off")
_WAITING = text(
    """
    SELECT tenant_id, count(*) AS jobs, sum(size_bytes)::bigint AS size_bytes
    FROM (SELECT tenant_id, size_bytes FROM jobs WHERE state = 'queued' LIMIT :most) AS waiting
    GROUP BY tenant_id
    """
)
_DRAINED = text(
    f"""
    SELECT tenant_id, count(*) AS jobs, sum(size_bytes)::bigint AS size_bytes
    FROM (
        SELECT tenant_id, size_bytes FROM jobs
        WHERE finished_at > now() - interval '{WINDOW_S} seconds' AND state <> 'cancelled'
        LIMIT {_MOST_DRAINED}
    ) AS drained
    GROUP BY tenant_id
    """  # noqa: S608 - our own numbers
)


def by_index() -> TextClause:
    """To be run before the others in their transaction."""
    return _BY_INDEX


def waiting(most: int) -> TextClause:
    """Jobs and bytes that wait, by hospital. Stops after `most` rows: then the service is full for everybody."""
    return _WAITING.bindparams(most=most)


def drained() -> TextClause:
    """Jobs and bytes that ended in the last WINDOW_S seconds, by hospital; at most 20,000 are counted."""
    return _DRAINED
