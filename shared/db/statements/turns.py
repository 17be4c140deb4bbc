"""Whose turn it is: the one statement that takes jobs. All time is the database's own clock.

A lane is what waits of one hospital, modality, class and requested version, oldest first; it is a range of the index
ix_jobs_waiting. The statement hops from lane to lane, one probe each, so it costs what there are lanes, however much
waits in them and however many hospitals have nothing waiting. Then it chooses:

1. a class that waits and was not served for `ageing` seconds, so that none starves behind the ones above it;
2. the more urgent class;
3. the hospital that received least: start-time fair queueing. A claim begins at its hospital's turn and moves it on by
   jobs / weight. A hospital that had nothing waiting goes on from where the others are: it neither saves up turns nor
   pays for the time in which it had the service to itself;
4. the oldest head.

The head decides the claim's version: the one it asked for, else the canary when its study lies in the canary's share (a
canary that this worker could not load has none), else the active one. Those behind it that lie on the other side wait.

Turns are read from the latest claims and never locked: a worker that is frozen while it claims holds up nobody. Two
claims of one hospital at the same moment may count as one.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.types import Text

from shared.db.tables import PRIORITY_RANK

_WANTED = "COALESCE(requested_id, '00000000-0000-0000-0000-000000000000'::uuid)"
_LANE = f"tenant_id, modality, priority, {_WANTED}"
_ORDER = "GREATEST(not_before, created_at), id"
# Where a job lies in [0, 1), the same for all of a study, else of a subject: below the canary's share, the canary's.
_PLACE = "(hashtextextended(COALESCE(study_id::text, subject_id, id::text), 0) & 65535)::float8 / 65536"
_HEAD = f"""
    SELECT tenant_id, modality, priority, {_WANTED} AS wanted, requested_id, not_before,
           GREATEST(not_before, created_at) AS ready, id, solo, {_PLACE} AS place
    FROM jobs WHERE state = 'queued' %s
    ORDER BY {_LANE}, {_ORDER} LIMIT 1
"""  # noqa: S608 - our own words
_FIRST = _HEAD % ""
_NEXT = _HEAD % f"AND ({_LANE}) > (lane.tenant_id, lane.modality, lane.priority, lane.wanted)"

# Nothing is locked while looking; the rows that are taken are locked with SKIP LOCKED, so a race costs an empty claim.
_CLAIM = text(
    f"""
    WITH RECURSIVE lane AS (
        ({_FIRST})
        UNION ALL
        SELECT following.* FROM lane CROSS JOIN LATERAL ({_NEXT}) AS following
    ),
    served AS (
        SELECT m.modality, p.priority, latest.turn_began, latest.started_at
        FROM (SELECT DISTINCT modality FROM deployments) AS m
        CROSS JOIN generate_series(0, 2) AS p(priority)
        CROSS JOIN LATERAL (
            SELECT turn_began, started_at FROM claims
            WHERE modality = m.modality AND priority = p.priority ORDER BY id DESC LIMIT 1
        ) AS latest
    ),
    lead AS (
        SELECT lane.*, d.generation, d.share, choice.version_id, t.weight,
               GREATEST(own.turn_ended, (SELECT max(turn_began) FROM served WHERE priority = lane.priority), 0) AS turn
        FROM lane
        JOIN tenants t ON t.id = lane.tenant_id
        CROSS JOIN LATERAL (
            SELECT active_id, generation, canary_id,
                   CASE WHEN lane.requested_id IS NULL AND canary_id <> ALL (:refused) THEN canary_share ELSE 0 END
                   AS share
            FROM deployments
            WHERE modality = lane.modality AND (tenant_id = lane.tenant_id OR tenant_id IS NULL)
            ORDER BY tenant_id NULLS LAST LIMIT 1
        ) AS d
        CROSS JOIN LATERAL (
            SELECT CASE WHEN lane.place < d.share THEN d.canary_id ELSE COALESCE(lane.requested_id, d.active_id) END
                   AS version_id
        ) AS choice
        LEFT JOIN LATERAL (
            SELECT turn_ended FROM claims
            WHERE tenant_id = lane.tenant_id AND priority = lane.priority ORDER BY id DESC LIMIT 1
        ) AS own ON true
        LEFT JOIN served ON served.modality = lane.modality AND served.priority = lane.priority
        WHERE lane.modality = ANY (:modalities) AND lane.priority <= :lowest
          AND (lane.not_before IS NULL OR lane.not_before <= now())
          AND choice.version_id IS NOT NULL AND choice.version_id <> ALL (:refused)
        ORDER BY GREATEST(lane.ready, served.started_at) > now() - make_interval(secs => :ageing),
                 lane.priority, turn, lane.ready, lane.id
        LIMIT 1
    ),
    mine AS (
        SELECT head.id FROM lead CROSS JOIN LATERAL (
            SELECT id, solo, {_PLACE} AS place FROM jobs
            WHERE ({_LANE}) = (lead.tenant_id, lead.modality, lead.priority, lead.wanted) AND state = 'queued'
              AND GREATEST(not_before, created_at) <= GREATEST(now(), lead.ready)
            ORDER BY {_ORDER} LIMIT :size
            FOR UPDATE SKIP LOCKED
        ) AS head
        WHERE CASE WHEN lead.solo THEN head.id = lead.id ELSE NOT head.solo END
          AND (head.place < lead.share) = (lead.place < lead.share)
    ),
    claim AS (
        INSERT INTO claims (worker_id, tenant_id, modality, priority, version_id, generation, turn_began, turn_ended,
                            lease_until)
        SELECT :worker, tenant_id, modality, priority, version_id, generation, turn,
               turn + (SELECT count(*) FROM mine) / weight, now() + make_interval(secs => :lease)
        FROM lead WHERE EXISTS (SELECT FROM mine)
        RETURNING id
    ),
    taken AS (
        UPDATE jobs j
        SET state = 'running', claim_id = claim.id, version_id = lead.version_id, attempts = j.attempts + 1,
            started_at = now()
        FROM mine, lead, claim WHERE j.id = mine.id
        RETURNING j.*
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause, claim_id)
        SELECT tenant_id, id, 'queued', 'running', 'claimed', claim_id FROM taken
    )
    SELECT taken.id, taken.tenant_id, taken.claim_id, taken.modality, taken.priority, taken.version_id, lead.generation,
           taken.attempts, taken.age_years, taken.view, taken.created_at, taken.started_at,
           extract(epoch FROM taken.not_after - now())::float8 AS seconds_left, v.recalled_at IS NOT NULL AS recalled,
           i.sha256, i.media_type, v.sha256 AS version_sha256, t.pseudonym_key,
           now() + make_interval(secs => :lease) AS lease_until
    FROM lead
    LEFT JOIN taken ON true
    LEFT JOIN job_inputs i ON i.job_id = taken.id AND i.position = 0
    LEFT JOIN versions v ON v.id = taken.version_id
    LEFT JOIN tenants t ON t.id = taken.tenant_id
    ORDER BY GREATEST(taken.not_before, taken.created_at), taken.id
    """  # noqa: S608 - our own words
).bindparams(
    bindparam("modalities", type_=ARRAY(Text)),
    bindparam("refused", type_=ARRAY(PG_UUID(as_uuid=True))),
    bindparam("worker", type_=PG_UUID(as_uuid=True)),
)


# An index probe (ix_jobs_before_bulk): workers look between any two groups.
_WAITS_BEFORE = text(
    """
    SELECT 1 FROM jobs
    WHERE state = 'queued' AND priority < 2 AND priority < :rank AND modality = ANY (:modalities)
      AND (not_before IS NULL OR not_before <= now())
    LIMIT 1
    """
).bindparams(bindparam("modalities", type_=ARRAY(Text)))


def claim(
    worker: UUID,
    modalities: Sequence[str],
    size: int,
    lease: float,
    ageing: float,
    refused: Sequence[UUID] = (),
    lowest: int = PRIORITY_RANK["bulk"],
) -> TextClause:
    """Take up to `size` jobs of one lane. No row: nothing waits.

    One row without an id: somebody else took the head meanwhile; look again. `refused` versions are left alone, and so
    are classes less urgent than `lowest`. Jobs whose deadline passed (`seconds_left`) or whose version was recalled are
    taken too, for the caller to end: so they leave the head of their lane at once, and looking never has to pass them
    by.
    """
    return _CLAIM.bindparams(
        worker=worker,
        modalities=list(modalities),
        size=size,
        lease=lease,
        ageing=ageing,
        refused=list(refused),
        lowest=lowest,
    )


def waits_before(modalities: Sequence[str], rank: int) -> TextClause:
    """One row when a job of these modalities and a more urgent class than that of `rank` may begin, else none."""
    return _WAITS_BEFORE.bindparams(modalities=list(modalities), rank=rank)
