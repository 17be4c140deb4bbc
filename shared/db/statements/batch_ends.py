"""When a batch has ended: looked for now and then, so that no job's end costs anything for it."""

from uuid import UUID

from sqlalchemy import TextClause, Update, bindparam, func, text, update
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.statements.order import HORIZON
from shared.db.tables import Batch

# A batch that is far from its end is looked at seldom: after a second for each hundred jobs that are left. What a
# transaction that is still open may bring is waited for, so that who is told can read every outcome.
_LOOK = text(
    f"""
    WITH due AS (
        SELECT id FROM batches WHERE finished_at IS NULL AND look_at <= now()
        ORDER BY look_at LIMIT :most FOR UPDATE SKIP LOCKED
    ),
    known AS (
        SELECT due.id, (
            SELECT count(*) FROM jobs
            WHERE batch_id = due.id AND NOT (finished_at IS NOT NULL AND ended_in < {HORIZON})) AS left_over
        FROM due
    )
    UPDATE batches b
    SET look_at = now() + make_interval(secs => LEAST(GREATEST(left_over / 100.0, 1), 30)),
        finished_at = CASE WHEN left_over = 0 THEN now() END
    FROM known WHERE b.id = known.id
    """  # noqa: S608 - a constant
)


def look(most: int) -> TextClause:
    """Look at up to `most` batches that are due; those of which every job has ended are finished, and told, once."""
    return _LOOK.bindparams(bindparam("most", most))


def later(batch: UUID, seconds: float) -> Update:
    """Look at a batch after so many seconds: while a request fills it, it is not at its end."""
    one = update(Batch).where(Batch.id == bindparam("batch", batch, type_=PG_UUID(as_uuid=True)))
    pause = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    return one.values(look_at=func.now() + pause).execution_options(synchronize_session=False)
