"""I5 and I6: which version answered, and by whose move of which pointer."""

from tests.chaos.query import Query

_OF_ACTIVE = "('install', 'promote', 'rollback', 'recall')"  # the other moves are of lesser pointers

QUERIES = (
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
)
