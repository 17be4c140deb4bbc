"""I1 to I4 and I8 to I20: jobs, their claims, events and deliveries."""

from tests.chaos.query import Query

_ENDED = "('succeeded', 'failed', 'rejected', 'cancelled', 'dead')"
_STEPS = """
    SELECT e.*, lag(to_state) OVER life AS before, lag(claim_id) OVER life AS held, lag(cause) OVER life AS why
    FROM job_events e WINDOW life AS (PARTITION BY job_id ORDER BY id)
"""
_UNCHARGED = "('worker_stopping')"  # what gives a job back without charging it the attempt

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
        "no lease reaches further than the database's clock allows",
        """
        SELECT id, started_at, lease_until, ended_at FROM claims
        WHERE lease_until NOT BETWEEN started_at + make_interval(secs => :lease)
                          AND COALESCE(ended_at, now()) + make_interval(secs => :lease)
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
)
