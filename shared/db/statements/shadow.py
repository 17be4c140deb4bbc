"""A shadow's work: which answered inputs it takes, what it made of them, and both answers side by side."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Select, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.tables import Deployment, Job, Result, ShadowResult, Version

_ID = PG_UUID(as_uuid=True)
# Commits may come later than the times that they carry: each look begins so long before the last one.
_LATE_S = 10.0

# Judged inputs of patients who were never trained on come first: they are what a candidate is tested with.
# What was taken over from an earlier result is no second opinion. Whether an input is in the share is its job's hash.
_TAKE = text(
    f"""
    WITH since AS (
        SELECT d.active_id, max(e.at) AS at
        FROM deployments d JOIN deployment_events e ON e.deployment_id = d.id AND e.to_id = d.shadow_id
        WHERE d.modality = :modality AND d.shadow_id = :version AND e.action = 'shadow'
        GROUP BY d.active_id
    ),
    held_out AS (
        SELECT l.job_id FROM retraining_labels l
        JOIN retrainings t ON t.id = l.retraining_id JOIN training_runs u ON u.id = t.run_id
        WHERE l.held_out AND u.version_id = :version AND EXISTS (SELECT FROM since)
    ),
    answered AS (
        SELECT j.id, j.tenant_id, j.finished_at, j.age_years, j.view, r.header
        FROM held_out h JOIN jobs j ON j.id = h.job_id JOIN results r ON r.job_id = j.id
        WHERE NOT EXISTS (SELECT FROM shadow_results s WHERE s.job_id = j.id AND s.version_id = :version)
        UNION
        (SELECT j.id, j.tenant_id, j.finished_at, j.age_years, j.view, r.header
        FROM since JOIN jobs j ON j.version_id = since.active_id JOIN results r ON r.job_id = j.id
        WHERE j.finished_at >= GREATEST(since.at, now() - interval '1 day',
                                        CAST(:after AS timestamptz) - make_interval(secs => {_LATE_S}))
          AND j.state = 'succeeded' AND j.comparison_id IS NULL AND r.reused_from IS NULL
          AND ('x' || left(md5(j.id::text), 8))::bit(32)::bigint < :share * 4294967296
          AND NOT EXISTS (SELECT FROM shadow_results s WHERE s.job_id = j.id AND s.version_id = :version)
        ORDER BY j.finished_at LIMIT :most)
        ORDER BY finished_at LIMIT :most
    ),
    taken AS (
        INSERT INTO shadow_results (job_id, version_id, tenant_id, answered_at)
        SELECT id, :version, tenant_id, finished_at FROM answered
        ON CONFLICT DO NOTHING RETURNING job_id
    )
    SELECT a.id, a.tenant_id, a.finished_at, a.age_years, a.view, a.header, i.sha256, i.media_type
    FROM taken JOIN answered a ON a.id = taken.job_id
    JOIN job_inputs i ON i.job_id = a.id AND i.position = 0
    ORDER BY a.finished_at
    """  # noqa: S608 - our own number
).bindparams(bindparam("version", type_=_ID), bindparam("after", type_=DateTime(timezone=True)))

_FINISH = text(
    """
    UPDATE shadow_results s
    SET score = a.score, distance = a.distance, probability = a.probability, decision = a.decision, code = a.code,
        ms = a.ms, finished_at = now()
    FROM jsonb_to_recordset(:answers) AS a(
        job_id uuid, score float8, distance float8, probability float8, decision text, code text, ms float8)
    WHERE s.job_id = a.job_id AND s.version_id = :version AND s.finished_at IS NULL
    """
).bindparams(bindparam("version", type_=_ID), bindparam("answers", type_=JSONB))

_RELEASE = text(
    "DELETE FROM shadow_results WHERE version_id = :version AND job_id = ANY (:jobs) AND finished_at IS NULL"
).bindparams(bindparam("version", type_=_ID), bindparam("jobs", type_=ARRAY(_ID)))


def pointers(modalities: Sequence[str]) -> Select[str, UUID, str]:
    """Modality, id and sha256 of every shadow among these modalities."""
    return (
        select(Deployment.modality, Version.id, Version.sha256)
        .join(Version, Version.id == Deployment.shadow_id)
        .where(Deployment.modality.in_(modalities), Deployment.tenant_id.is_(None), Version.recalled_at.is_(None))
    )


def take(modality: str, version: UUID, share: float, after: datetime | None, most: int) -> TextClause:
    """Mark up to `most` inputs that were held out of this version's training, or that the active version answered since
    this one became the shadow; oldest first.

    `after`: everything answered before then was looked at already.
    """
    return _TAKE.bindparams(modality=modality, version=version, share=share, after=after, most=most)


def finish(version: UUID, answers: list[dict[str, Any]]) -> TextClause:
    """Keep what the shadow made of inputs that were taken."""
    return _FINISH.bindparams(version=version, answers=answers)


def release(version: UUID, jobs: Sequence[UUID]) -> TextClause:
    """Leave inputs that were taken and not computed to others."""
    return _RELEASE.bindparams(version=version, jobs=list(jobs))


def pairs(version: UUID, active: UUID, most: int) -> Select[*tuple[Any, ...]]:
    """What a shadow and the active version said of the same inputs, of all hospitals: the latest `most`."""
    return (
        select(
            Result.decision, Result.probability, Result.timings, Result.tenant_id, Job.subject_id,
            ShadowResult.decision.label("shadow_decision"), ShadowResult.probability.label("shadow_probability"),
            ShadowResult.code, ShadowResult.ms, ShadowResult.finished_at,
        )
        .join(Result, Result.job_id == ShadowResult.job_id)
        .join(Job, Job.id == ShadowResult.job_id)
        .where(ShadowResult.version_id == version, Result.version_id == active)
        .order_by(ShadowResult.answered_at.desc())
        .limit(most)
    )  # fmt: skip
