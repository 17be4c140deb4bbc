"""Training runs: claim, heartbeat, progress, finish, give back, reap, and what the gateway asks. The fence is a column.

Whoever writes proves in the same statement that the run is still its own: `fence = mine AND state = 'running'`.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, Insert, Select, TextClause, bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.tables import TrainingPoint, TrainingRun, Version
from shared.schemas import RunState

_ID = PG_UUID(as_uuid=True)
_ENDED = [str(state) for state in RunState if state not in (RunState.QUEUED, RunState.RUNNING)]

_CLAIM = text(
    """
    WITH head AS (
        SELECT id FROM training_runs
        WHERE state = 'queued' AND recipe = ANY(:recipes) AND dataset = ANY(:datasets)
          AND NOT EXISTS (SELECT FROM retrainings t WHERE t.run_id = training_runs.id AND t.collected_at IS NULL)
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ),
    taken AS (
        UPDATE training_runs r
        SET state = 'running', fence = r.fence + 1, attempts = r.attempts + 1, worker_id = :worker,
            lease_until = now() + make_interval(secs => :lease), started_at = COALESCE(r.started_at, now())
        FROM head WHERE r.id = head.id
        RETURNING r.*
    )
    SELECT taken.*, t.name || '/' || p.name AS publisher
    FROM taken JOIN tenants t ON t.id = taken.tenant_id JOIN principals p ON p.id = taken.principal_id
    """
).bindparams(bindparam("worker", type_=_ID))

_HEARTBEAT = text(
    """
    UPDATE training_runs SET lease_until = now() + make_interval(secs => :lease)
    WHERE id = :run AND fence = :fence AND state = 'running' RETURNING id
    """
).bindparams(bindparam("run", type_=_ID))

_PROGRESS = text(
    """
    UPDATE training_runs SET stage = :stage, done = :done, total = :total, seconds_left = :left
    WHERE id = :run AND fence = :fence AND state = 'running' RETURNING id
    """
).bindparams(bindparam("run", type_=_ID))

_FINISH = text(
    """
    UPDATE training_runs
    SET state = :state, code = :code, detail = :detail, figures = :figures, notes = :notes, version_id = :version,
        lease_until = NULL, seconds_left = NULL, finished_at = now()
    WHERE id = :run AND fence = :fence AND state = 'running' RETURNING id
    """
).bindparams(
    bindparam("run", type_=_ID),
    bindparam("version", type_=_ID),
    bindparam("figures", type_=JSONB(none_as_null=True)),
    bindparam("notes", type_=JSONB),
)

_GIVE_BACK = text(
    """
    UPDATE training_runs SET state = 'queued', attempts = attempts - 1, lease_until = NULL
    WHERE id = :run AND fence = :fence AND state = 'running' RETURNING id
    """
).bindparams(bindparam("run", type_=_ID))

_REAP = text(
    """
    UPDATE training_runs
    SET state = CASE WHEN attempts >= :most THEN 'dead' ELSE 'queued' END,
        finished_at = CASE WHEN attempts >= :most THEN now() END,
        code = CASE WHEN attempts >= :most THEN 'trainer_lost' END,
        detail = CASE WHEN attempts >= :most THEN :detail END,
        lease_until = NULL, seconds_left = NULL
    WHERE id IN (SELECT id FROM training_runs WHERE lease_until < now() FOR UPDATE SKIP LOCKED)
    RETURNING id, state
    """
)

# The fence grows too, so that a trainer that still computes for the old claim cannot be taken for the next one.
_CANCEL = text(
    """
    UPDATE training_runs
    SET state = 'cancelled', fence = fence + 1, lease_until = NULL, seconds_left = NULL, finished_at = now()
    WHERE id = :run AND tenant_id = :tenant AND state IN ('queued', 'running') RETURNING id
    """
).bindparams(bindparam("run", type_=_ID), bindparam("tenant", type_=_ID))

_REFUSE = text(
    """
    UPDATE training_runs SET state = 'failed', code = :code, detail = :detail, finished_at = now()
    WHERE id = :run AND state = 'queued' RETURNING id
    """
).bindparams(bindparam("run", type_=_ID))

_RETRY = text(
    """
    UPDATE training_runs
    SET state = 'queued', attempts = 0, stage = NULL, done = 0, total = 0, figures = NULL, notes = '[]'::jsonb,
        code = NULL, detail = NULL, started_at = NULL, finished_at = NULL
    WHERE id = :run AND tenant_id = :tenant AND state IN ('failed', 'dead', 'cancelled') RETURNING id
    """
).bindparams(bindparam("run", type_=_ID), bindparam("tenant", type_=_ID))

# A trainer that is switched off still says what it could do; one that was never there says nothing.
_TRAINERS = text(
    """
    SELECT report, stopped_at IS NULL AND seen_at > now() - interval '30 seconds' AS alive
    FROM workers WHERE report ? 'recipes' ORDER BY seen_at DESC LIMIT 20
    """
)


# A version that some pointer named once has been seen by somebody, whatever became of it.
_UNSEEN = text(
    """
    SELECT r.id, r.state, r.recipe, r.name
    FROM training_runs r LEFT JOIN versions v ON v.id = r.version_id
    WHERE r.tenant_id = :tenant AND r.finished_at > now() - interval '7 days'
      AND (r.state IN ('failed', 'dead')
           OR r.state = 'succeeded' AND v.recalled_at IS NULL
              AND NOT EXISTS (SELECT FROM deployment_events e WHERE v.id IN (e.from_id, e.to_id)))
    ORDER BY r.id DESC LIMIT :most
    """
).bindparams(bindparam("tenant", type_=_ID))


def claim(worker: UUID, lease: float, recipes: Sequence[str], datasets: Sequence[str]) -> TextClause:
    """Take the oldest waiting run of these recipes and data sets; no row: none waits, or somebody else took it."""
    return _CLAIM.bindparams(worker=worker, lease=lease, recipes=list(recipes), datasets=list(datasets))


def heartbeat(run: UUID, fence: int, lease: float) -> TextClause:
    """Extend the lease; no row means that the run is no longer ours."""
    return _HEARTBEAT.bindparams(run=run, fence=fence, lease=lease)


def progress(run: UUID, fence: int, stage: str, done: int, total: int, left: float | None) -> TextClause:
    """Say how far it is; no row means that the run is no longer ours."""
    return _PROGRESS.bindparams(run=run, fence=fence, stage=stage, done=done, total=total, left=left)


def points(rows: Sequence[dict[str, Any]]) -> Insert:
    """Epochs of a run; those that are there already stay (a resumed run tells its past again)."""
    return insert(TrainingPoint).values(rows).on_conflict_do_nothing()


def finish(run: UUID, fence: int, state: RunState, **values: Any) -> TextClause:
    """End a run; no row means that it is no longer ours, and nothing was written."""
    given = {"code": None, "detail": None, "figures": None, "notes": [], "version": None, **values}
    return _FINISH.bindparams(run=run, fence=fence, state=str(state), **given)


def refuse(run: UUID, code: str, detail: str) -> TextClause:
    """End a run that waits, before anything of it was trained."""
    return _REFUSE.bindparams(run=run, code=code, detail=detail)


def give_back(run: UUID, fence: int) -> TextClause:
    """Return a run to the queue without charging an attempt."""
    return _GIVE_BACK.bindparams(run=run, fence=fence)


def reap(most: int, detail: str) -> TextClause:
    """Take back every run whose lease ran out: it waits again, or is dead after `most` attempts."""
    return _REAP.bindparams(most=most, detail=detail)


def open_among(ids: Sequence[UUID]) -> Select[UUID]:
    """Which of these runs have not ended: their checkpoints are still needed."""
    return select(TrainingRun.id).where(TrainingRun.id.in_(ids), TrainingRun.state.not_in(_ENDED))


def ended(ids: Sequence[UUID]) -> Select[UUID]:
    """Which of these runs have ended; who asks has shown before that they are his."""
    return select(TrainingRun.id).where(TrainingRun.id.in_(ids), TrainingRun.state.in_(_ENDED))


def visible(tenant: UUID) -> Select[TrainingRun, Version]:
    """A tenant's runs with the versions that they published."""
    return (
        select(TrainingRun, Version)
        .outerjoin(Version, Version.id == TrainingRun.version_id)
        .where(TrainingRun.tenant_id == tenant)
    )


def page(tenant: UUID, before: UUID | None, limit: int) -> Select[TrainingRun, Version]:
    """A page of a tenant's runs, newest first."""
    query = visible(tenant).order_by(TrainingRun.id.desc()).limit(limit)
    return query if before is None else query.where(TrainingRun.id < before)


def curve(run: UUID) -> Select[TrainingPoint]:
    """The epochs of a run, in order; who asks has shown before that it is his."""
    return select(TrainingPoint).where(TrainingPoint.run_id == run).order_by(TrainingPoint.position)


def forget_points(run: UUID) -> Delete:
    """A run that starts anew draws its curve anew."""
    return delete(TrainingPoint).where(TrainingPoint.run_id == run)


def cancel(tenant: UUID, run: UUID) -> TextClause:
    """End a run that waits or runs; no row when there is none such."""
    return _CANCEL.bindparams(tenant=tenant, run=run)


def retry(tenant: UUID, run: UUID) -> TextClause:
    """Queue a run again that ended without a version; no row when there is none such."""
    return _RETRY.bindparams(tenant=tenant, run=run)


def trainers() -> TextClause:
    """What each of the latest trainers reported, and whether it is alive; the latest first."""
    return _TRAINERS


def unseen(tenant: UUID, most: int) -> TextClause:
    """A tenant's runs of the last week that failed, or whose version nobody has tried yet; the newest first."""
    return _UNSEEN.bindparams(tenant=tenant, most=most)
