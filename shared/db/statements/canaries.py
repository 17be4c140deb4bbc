"""A canary beside the active version, over the time since it became one: what each answered, of all hospitals.

Jobs that named a version are left out: they choose themselves, and batches pin the active one.
"""

from sqlalchemy import Select, TextClause, select, text

from shared.db.tables import Deployment

BINS = 20  # of the histogram of probabilities, 0 to 1

_BEGAN = """
    WITH began AS (
        SELECT d.active_id, d.canary_id, max(e.at) AS at
        FROM deployments d JOIN deployment_events e ON e.deployment_id = d.id AND e.to_id = d.canary_id
        WHERE d.modality = :modality AND d.tenant_id IS NULL AND e.action = 'canary'
        GROUP BY d.active_id, d.canary_id
    ),
    side AS (
        SELECT b.at, b.active_id AS version_id, false AS tried FROM began b
        UNION ALL
        SELECT b.at, b.canary_id, true FROM began b
    )
"""
_ENDED = text(
    f"""
    {_BEGAN}
    SELECT side.tried, side.at,
           count(j.id) FILTER (WHERE j.state = 'succeeded') AS succeeded,
           count(j.id) FILTER (WHERE j.state = 'rejected') AS rejected,
           count(j.id) FILTER (WHERE j.state IN ('failed', 'dead') AND j.code IS DISTINCT FROM 'deadline') AS failed,
           count(r.job_id) FILTER (WHERE r.decision = 'flagged') AS flagged,
           count(r.job_id) FILTER (WHERE r.decision = 'refer') AS referred,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
               ORDER BY (r.timings ->> 'prepare_ms')::float8 + (r.timings ->> 'predict_ms')::float8) AS ms
    FROM side
    LEFT JOIN jobs j ON j.version_id = side.version_id AND j.finished_at >= side.at AND j.requested_id IS NULL
    LEFT JOIN results r ON r.job_id = j.id AND r.reused_from IS NULL
    GROUP BY side.tried, side.at ORDER BY side.tried
    """  # noqa: S608 - our own words
)
_PROBABILITIES = text(
    f"""
    {_BEGAN}
    SELECT side.tried, LEAST(floor(r.probability * {BINS}), {BINS - 1})::int AS bin, count(*) AS n
    FROM side
    JOIN jobs j ON j.version_id = side.version_id AND j.finished_at >= side.at AND j.requested_id IS NULL
    JOIN results r ON r.job_id = j.id
    GROUP BY 1, 2
    """  # noqa: S608 - our own words
)


def running() -> Select[str, int]:
    """Modality and generation of every deployment that has a canary."""
    with_one = Deployment.canary_id.is_not(None) & Deployment.tenant_id.is_(None)
    return select(Deployment.modality, Deployment.generation).where(with_one)


def ended(modality: str) -> TextClause:
    """Two rows, the active version's and the canary's (`tried`): jobs by their end, and time in ms (median, p95).

    None while there is no canary. A missed deadline is not the version's fault and is no failure here.
    """
    return _ENDED.bindparams(modality=modality)


def probabilities(modality: str) -> TextClause:
    """How many results of each side fall into each of BINS equal parts of 0 to 1."""
    return _PROBABILITIES.bindparams(modality=modality)
