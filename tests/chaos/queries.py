"""What the rows themselves must prove when everything is quiet again: one query an invariant, and no row is good news.

The numbers I1 to I20 are the invariants of the reliability programme, as `docs/architecture.md` lists them. Every query
may use :most (attempts of a job), :deliveries (attempts of a delivery) and :lease (seconds).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.settings import Settings

SHOWN = 20  # rows of a violation that are kept


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: which, what was found, and up to `SHOWN` of the rows that show it."""

    invariant: str
    what: str
    rows: tuple[Any, ...]


@dataclass(frozen=True)
class Query:
    """`proves` is what holds when `sql` finds nothing."""

    invariant: str
    proves: str
    sql: str


def violated(session: Session, settings: Settings) -> Iterator[Violation]:
    """Run every query. They need a service at rest: what still waits or runs is a violation itself."""
    values = {"most": settings.max_attempts, "deliveries": settings.webhook_attempts, "lease": settings.lease_s}
    for query in QUERIES:
        statement = text(query.sql)
        given = {name: values[name] for name in statement._bindparams}
        if rows := session.execute(statement.bindparams(**given)).fetchmany(SHOWN):
            yield Violation(query.invariant, query.proves, tuple(tuple(row) for row in rows))


_ENDED = "('succeeded', 'failed', 'rejected', 'cancelled', 'dead')"
_STEPS = """
    SELECT e.*, lag(to_state) OVER life AS before, lag(claim_id) OVER life AS held, lag(cause) OVER life AS why
    FROM job_events e WINDOW life AS (PARTITION BY job_id ORDER BY id)
"""
_UNCHARGED = "('worker_stopping')"  # what gives a job back without charging it the attempt

_OF_ACTIVE = "('install', 'promote', 'rollback', 'recall')"  # the other moves are of lesser pointers

QUERIES = (
    Query(
        "I2",
        "every job and every training run has ended",
        """
        SELECT 'job', id, state FROM jobs WHERE state IN ('queued', 'running')
        UNION ALL SELECT 'run', id, state FROM training_runs WHERE state IN ('queued', 'running')
        """,
    ),
    Query(
        "I2",
        "a job ended once, and once more for each time that somebody had it tried again",
        f"""
        SELECT j.id, count(*) FILTER (WHERE to_state IN {_ENDED}) AS ended,
               count(*) FILTER (WHERE cause = 'retried') AS retried
        FROM jobs j JOIN job_events e ON e.job_id = j.id WHERE j.state IN {_ENDED}
        GROUP BY j.id
        HAVING count(*) FILTER (WHERE to_state IN {_ENDED}) <> count(*) FILTER (WHERE cause = 'retried') + 1
        """,
    ),
    Query(
        "I3",
        "a job that succeeded has exactly one result, every other job has none",
        """
        SELECT j.id, j.state, count(r.job_id) AS results FROM jobs j LEFT JOIN results r ON r.job_id = j.id
        GROUP BY j.id, j.state HAVING count(r.job_id) <> (j.state = 'succeeded')::int
        """,
    ),
    Query(
        "I3",
        "a run that names a version has succeeded",
        "SELECT id, state FROM training_runs WHERE version_id IS NOT NULL AND state <> 'succeeded'",
    ),
    Query(
        "I4",
        "result, input and events belong to the job's hospital, and the result is of the job's own input",
        """
        SELECT j.id FROM jobs j
        JOIN job_inputs i ON i.job_id = j.id AND i.position = 0 JOIN results r ON r.job_id = j.id
        WHERE i.tenant_id <> j.tenant_id OR r.tenant_id <> j.tenant_id OR r.input_sha256 <> i.sha256
        UNION ALL SELECT j.id FROM jobs j JOIN job_events e ON e.job_id = j.id WHERE e.tenant_id <> j.tenant_id
        UNION ALL SELECT j.id FROM jobs j JOIN claims c ON c.id = j.claim_id WHERE c.tenant_id <> j.tenant_id
        """,
    ),
    Query(
        "I5",
        "a result says how it was computed, by a version of the job's modality and of the generation of its claim",
        """
        SELECT r.job_id, r.runtime FROM results r JOIN jobs j ON j.id = r.job_id JOIN claims c ON c.id = r.claim_id
        JOIN versions v ON v.id = r.version_id
        WHERE NOT (r.runtime ?& array['engine', 'precision', 'device', 'generation'])
           OR r.runtime ->> 'generation' <> c.generation::text OR v.modality <> j.modality
        """,
    ),
    Query(
        "I6",
        "a pointer's history has no gap, each move begins where the last one ended, and there the pointer stands",
        f"""
        WITH moves AS (
            SELECT *, lag(generation) OVER (PARTITION BY deployment_id ORDER BY generation) AS last
            FROM deployment_events
        ),
        active AS (
            SELECT *, lag(to_id) OVER (PARTITION BY deployment_id ORDER BY generation) AS before
            FROM deployment_events WHERE action IN {_OF_ACTIVE}
        )
        SELECT deployment_id, generation FROM moves WHERE generation <> COALESCE(last, 0) + 1
        UNION ALL SELECT deployment_id, generation FROM active WHERE before IS DISTINCT FROM from_id
        UNION ALL
        SELECT d.id, d.generation FROM deployments d
        WHERE d.generation IS DISTINCT FROM (SELECT max(generation) FROM moves WHERE deployment_id = d.id)
           OR d.active_id IS DISTINCT FROM (
               SELECT to_id FROM active WHERE deployment_id = d.id ORDER BY generation DESC LIMIT 1)
        """,
    ),
    Query(
        "I6",
        "a claim's version was asked for by its jobs, or was active or a canary at the claim's generation",
        f"""
        SELECT DISTINCT c.id, c.version_id, c.generation
        FROM claims c JOIN job_events e ON e.claim_id = c.id AND e.cause = 'claimed' JOIN jobs j ON j.id = e.job_id
        WHERE c.version_id IS DISTINCT FROM j.requested_id
          AND (j.requested_id IS NOT NULL OR NOT EXISTS (
              SELECT FROM deployments d CROSS JOIN LATERAL (
                  SELECT to_id FROM deployment_events
                  WHERE deployment_id = d.id AND generation <= c.generation AND action IN {_OF_ACTIVE}
                  ORDER BY generation DESC LIMIT 1) AS stood
              WHERE d.modality = c.modality AND (d.tenant_id = c.tenant_id OR d.tenant_id IS NULL)
                AND stood.to_id = c.version_id)
              AND NOT EXISTS (
              SELECT FROM deployments d JOIN deployment_events e ON e.deployment_id = d.id
              WHERE d.modality = c.modality AND e.action = 'canary' AND e.to_id = c.version_id
                AND e.generation <= c.generation))
        """,
    ),
    Query(
        "I6",
        "all results of a claim are of the claim's version, and so are their jobs",
        """
        SELECT r.job_id, r.claim_id FROM results r JOIN claims c ON c.id = r.claim_id JOIN jobs j ON j.id = r.job_id
        WHERE r.version_id <> c.version_id OR j.version_id IS DISTINCT FROM r.version_id
        """,
    ),
    Query(
        "I8",
        "no job or run was tried more often than allowed, and what ended without an answer says why",
        """
        SELECT id, state, attempts FROM jobs
        WHERE attempts > :most OR (state = 'dead' AND attempts < :most)
           OR (state IN ('failed', 'rejected', 'dead') AND (code IS NULL OR COALESCE(detail, '') = ''))
        UNION ALL
        SELECT id, state, attempts FROM training_runs
        WHERE attempts > :most OR (state IN ('failed', 'dead') AND code IS NULL)
        """,
    ),
    Query(
        "I8",
        "a job was charged for every claim since somebody last had it tried again, but for those given back in time",
        f"""
        SELECT j.id, j.attempts, life.charged FROM jobs j JOIN (
            SELECT job_id, count(*) FILTER (WHERE cause = 'claimed') - count(*) FILTER (WHERE cause IN {_UNCHARGED})
                   AS charged
            FROM job_events e
            WHERE id > COALESCE((SELECT max(id) FROM job_events r WHERE r.job_id = e.job_id AND r.cause = 'retried'), 0)
            GROUP BY job_id
        ) AS life ON life.job_id = j.id
        WHERE life.charged <> j.attempts
        """,
    ),
    Query(
        "I9",
        "an answer was committed by the claim that held the job at that moment, and the result names that claim",
        f"""
        SELECT job_id, claim_id, held FROM ({_STEPS}) AS step
        WHERE cause = 'answered' AND (why IS DISTINCT FROM 'claimed' OR claim_id IS DISTINCT FROM held)
        UNION ALL
        SELECT r.job_id, r.claim_id, e.claim_id FROM results r
        JOIN LATERAL (
            SELECT claim_id FROM job_events WHERE job_id = r.job_id AND to_state = 'succeeded' ORDER BY id DESC LIMIT 1
        ) AS e ON true WHERE e.claim_id IS DISTINCT FROM r.claim_id
        """,
    ),
    Query(
        "I11",
        "a worker that said farewell has claimed nothing since",
        "SELECT w.id, c.id FROM workers w JOIN claims c ON c.worker_id = w.id WHERE c.started_at > w.stopped_at",
    ),
    Query(
        "I14",
        "every job's life begins with its submission, goes by allowed steps only and ends where its row stands",
        f"""
        SELECT job_id, from_state, to_state FROM ({_STEPS}) AS step
        WHERE from_state IS DISTINCT FROM before OR (COALESCE(from_state, ''), to_state) NOT IN (
            ('', 'queued'), ('queued', 'running'), ('queued', 'failed'), ('queued', 'cancelled'),
            ('running', 'queued'), ('running', 'succeeded'), ('running', 'failed'), ('running', 'rejected'),
            ('running', 'cancelled'), ('running', 'dead'), ('failed', 'queued'), ('dead', 'queued'))
        UNION ALL
        SELECT j.id, j.state, last.to_state FROM jobs j LEFT JOIN LATERAL (
            SELECT to_state FROM job_events WHERE job_id = j.id ORDER BY id DESC LIMIT 1
        ) AS last ON true WHERE last.to_state IS DISTINCT FROM j.state
        """,
    ),
    Query(
        "I15",
        "every job has an input",
        "SELECT id FROM jobs j WHERE NOT EXISTS (SELECT FROM job_inputs i WHERE i.job_id = j.id)",
    ),
    Query(
        "I19",
        "no lease reaches further than the database's clock allows; a second for a heartbeat that overtakes the end",
        """
        SELECT id, started_at, lease_until, ended_at FROM claims
        WHERE lease_until NOT BETWEEN started_at + make_interval(secs => :lease)
                          AND COALESCE(ended_at, now()) + make_interval(secs => :lease + 1)
        """,
    ),
    Query(
        "I20",
        "whatever ended while a webhook listened has a delivery, as often as it ended",
        f"""
        SELECT w.id, e.job_id, e.to_state FROM webhooks w JOIN job_events e ON e.tenant_id = w.tenant_id
        WHERE e.to_state IN {_ENDED} AND 'job.finished' = ANY (w.events) AND w.created_at < e.at
          AND (w.removed_at IS NULL OR w.removed_at > e.at) AND (w.disabled_at IS NULL OR w.disabled_at > e.at)
        GROUP BY w.id, e.job_id, e.to_state
        HAVING count(*) <> (SELECT count(*) FROM deliveries d
                            WHERE d.webhook_id = w.id AND d.job_id = e.job_id AND d.status = e.to_state)
        """,
    ),
    Query(
        "I20",
        "no delivery waits any more, and none was given up before its attempts were used up",
        """
        SELECT d.id, d.state, d.attempts, d.answer FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id
        WHERE (d.state = 'waiting' AND w.disabled_at IS NULL AND w.removed_at IS NULL)
           OR (d.state = 'dead' AND d.attempts < :deliveries AND d.answer NOT IN ('410', 'removed'))
           OR (d.state = 'sent' AND d.attempts < 1)
        """,
    ),
    Query(
        "I21",
        "a contested label has one open second reading, and nothing else does but what the model referred",
        """
        WITH settled AS (SELECT job_id, label FROM adjudications WHERE state = 'adjudicated'),
        contested AS (
            SELECT DISTINCT f.job_id FROM feedback f
            JOIN results r ON r.job_id = f.job_id LEFT JOIN settled s ON s.job_id = f.job_id
            WHERE f.withdrawn_at IS NULL AND f.replaced_at IS NULL AND f.adjudication_id IS NULL
              AND f.label IS NOT NULL AND f.label IS DISTINCT FROM COALESCE(
                  s.label, CASE r.decision WHEN 'flagged' THEN 'present' WHEN 'not_flagged' THEN 'absent' END)
        )
        SELECT job_id, 'not opened' FROM contested
        WHERE job_id NOT IN (SELECT job_id FROM adjudications WHERE state = 'open')
        UNION ALL
        SELECT job_id, 'not contested' FROM adjudications
        WHERE state = 'open' AND rank = 1 AND job_id NOT IN (SELECT job_id FROM contested)
        UNION ALL
        SELECT r.job_id, 'not referred' FROM results r JOIN jobs j ON j.id = r.job_id
        WHERE r.decision = 'refer' AND j.comparison_id IS NULL
          AND r.job_id NOT IN (SELECT job_id FROM adjudications WHERE rank = 0)
        UNION ALL SELECT job_id, 'settled twice' FROM settled GROUP BY job_id HAVING count(*) > 1
        """,
    ),
    Query(
        "I21",
        "a result's review is what stands of its verdicts",
        """
        SELECT r.job_id, r.review FROM results r
        CROSS JOIN LATERAL (
            SELECT COALESCE(bool_or(state = 'open'), false) AS open,
                   COALESCE(bool_or(state = 'adjudicated'), false) AS settled
            FROM adjudications a WHERE a.job_id = r.job_id) AS second
        CROSS JOIN LATERAL (
            SELECT COALESCE(bool_or(verdict = 'disagree'), false) AS disagreed,
                   COALESCE(bool_or(verdict = 'agree'), false) AS agreed
            FROM feedback f WHERE f.job_id = r.job_id AND withdrawn_at IS NULL AND replaced_at IS NULL) AS said
        WHERE r.review IS DISTINCT FROM CASE
            WHEN open THEN 'in_adjudication' WHEN settled THEN 'adjudicated'
            WHEN disagreed THEN 'disagreed' WHEN agreed THEN 'agreed' END
        """,
    ),
    Query(
        "I21",
        "who settled a result had not judged it before, and whoever judges is of its hospital",
        """
        SELECT a.id, a.person FROM adjudications a JOIN feedback f ON f.job_id = a.job_id AND f.person = a.person
        WHERE f.created_at <= a.closed_at
        UNION ALL SELECT f.id, f.person FROM feedback f JOIN jobs j ON j.id = f.job_id WHERE f.tenant_id <> j.tenant_id
        UNION ALL
        SELECT a.id, a.person FROM adjudications a JOIN jobs j ON j.id = a.job_id WHERE a.tenant_id <> j.tenant_id
        """,
    ),
    Query(
        "I22",
        "an explanation is of its own job's result: its hospital, its score, and a picture only where it is made",
        """
        SELECT e.job_id, 'result' FROM explanations e
        JOIN jobs j ON j.id = e.job_id LEFT JOIN results r ON r.job_id = e.job_id
        WHERE r.job_id IS NULL OR e.tenant_id <> j.tenant_id OR (e.state = 'made') <> (e.answer IS NOT NULL)
        UNION ALL
        SELECT e.job_id, 'score' FROM explanations e
        JOIN results r ON r.job_id = e.job_id JOIN versions v ON v.id = r.version_id
        WHERE abs((e.answer ->> 'score')::float8 - r.score) > CASE WHEN v.name LIKE 'echo-%' THEN 1e-7 ELSE 1e-3 END
        UNION ALL
        SELECT p.job_id, 'picture' FROM renditions p LEFT JOIN explanations e ON e.job_id = p.job_id
        WHERE p.kind = 'heat' AND (e.state IS DISTINCT FROM 'made' OR p.tenant_id <> e.tenant_id)
        """,
    ),
    Query(
        "I23",
        "what a shadow computed is of the same input, for the same hospital",
        """
        SELECT s.job_id, s.version_id FROM shadow_results s
        JOIN jobs j ON j.id = s.job_id LEFT JOIN results r ON r.job_id = s.job_id
        LEFT JOIN versions v ON v.id = s.version_id LEFT JOIN versions w ON w.id = r.version_id
        WHERE r.job_id IS NULL OR s.tenant_id <> j.tenant_id OR s.version_id = r.version_id
           OR (v.name LIKE 'echo-%' AND w.name LIKE 'echo-%'
               AND abs((s.score - r.score) * 4 - round((s.score - r.score) * 4)) > 1e-7)
        """,
    ),
    Query(
        "I23",
        "rollups hold every end up to the watermark, and none twice",
        """
        WITH counted AS (
            SELECT width, sum(n) AS n FROM rollups CROSS JOIN unnest(counts) AS n
            WHERE measure = 'outcome' GROUP BY width
        ),
        least AS (
            SELECT count(*) AS n FROM jobs j JOIN watermarks w ON w.name = 'rollups'
            WHERE j.finished_at IS NOT NULL AND (j.ended_in, j.id) <= (w.ended_in, w.job_id)
              AND j.version_id IS NOT NULL AND j.state <> 'cancelled' AND j.comparison_id IS NULL
        ),
        most AS (
            SELECT count(*) AS n FROM job_events WHERE to_state IN ('succeeded', 'failed', 'rejected', 'dead')
        )
        SELECT wide.width, COALESCE(counted.n, 0), least.n, most.n
        FROM (SELECT DISTINCT width FROM rollups UNION SELECT 86400) AS wide
        LEFT JOIN counted USING (width), least, most
        WHERE COALESCE(counted.n, 0) NOT BETWEEN least.n AND most.n
        """,
    ),
    Query(
        "I24",
        "each retraining goes with its run: its labels once it was collected, its end after the run's",
        """
        SELECT t.id, t.outcome, u.state FROM retrainings t JOIN training_runs u ON u.id = t.run_id
        WHERE t.tenant_id <> u.tenant_id OR (t.ended_at IS NOT NULL AND u.finished_at IS NULL)
           OR (t.collected_at IS NULL) <> (t.fingerprint IS NULL)
           OR (t.collected_at IS NULL AND EXISTS (SELECT FROM retraining_labels l WHERE l.retraining_id = t.id))
        UNION ALL
        SELECT l.retraining_id, l.label, 'foreign' FROM retraining_labels l
        JOIN retrainings t ON t.id = l.retraining_id JOIN jobs j ON j.id = l.job_id
        WHERE j.tenant_id <> t.tenant_id OR l.tenant_id <> t.tenant_id
        """,
    ),
)
