"""I21 to I24: verdicts, explanations, shadows, rollups and retrainings."""

from tests.chaos.query import Query

QUERIES = (
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
