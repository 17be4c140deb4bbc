"""Two versions on the same inputs: of those whose truth a clinician told, how many did only one of them get right."""

from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.statements.judged import VERDICTS

# From the judged jobs, which are few, to everything that was answered on their inputs, in a shadow too. `refer` is no
# answer. What one of the two was trained on, and other inputs of the same persons, would be no test.
_PAIRED = text(
    f"""
    WITH said AS (
        SELECT i.tenant_id, i.sha256, l.label, l.adjudicated,
               bool_or(l.adjudicated) OVER (PARTITION BY i.tenant_id, i.sha256) AS outranked
        FROM ({VERDICTS}) l
        JOIN results r ON r.job_id = l.job_id
        JOIN versions v ON v.id = r.version_id AND (v.modality, v.finding) IN (
            SELECT modality, finding FROM versions WHERE id = :candidate)
        JOIN job_inputs i ON i.job_id = l.job_id AND i.position = 0
        WHERE l.label IS NOT NULL
    ),
    truth AS (
        SELECT tenant_id, sha256, min(label) = 'present' AS present
        FROM said WHERE adjudicated OR NOT outranked GROUP BY tenant_id, sha256 HAVING min(label) = max(label)
    ),
    learnt AS (
        SELECT i.tenant_id, i.sha256, j.subject_id
        FROM training_runs u JOIN retrainings e ON e.run_id = u.id
        JOIN retraining_labels l ON l.retraining_id = e.id AND NOT l.held_out
        JOIN jobs j ON j.id = l.job_id
        JOIN job_inputs i ON i.job_id = j.id AND i.position = 0
        WHERE u.version_id IN (:candidate, :active)
    ),
    given AS (
        SELECT i.tenant_id, i.sha256, r.job_id, r.version_id, (r.decision = 'flagged') = t.present AS is_right
        FROM truth t
        JOIN job_inputs i ON i.tenant_id = t.tenant_id AND i.sha256 = t.sha256 AND i.position = 0
        JOIN jobs j ON j.id = i.job_id
        JOIN (
            SELECT job_id, version_id, decision FROM results
            UNION ALL
            SELECT job_id, version_id, decision FROM shadow_results
        ) r ON r.job_id = i.job_id AND r.decision IN ('flagged', 'not_flagged')
        WHERE r.version_id IN (:candidate, :active)
          AND NOT EXISTS (
              SELECT FROM learnt k
              WHERE k.tenant_id = i.tenant_id AND (k.sha256 = i.sha256 OR k.subject_id = j.subject_id))
    ),
    answer AS (
        SELECT DISTINCT ON (tenant_id, sha256, version_id) tenant_id, sha256, version_id, is_right
        FROM given ORDER BY tenant_id, sha256, version_id, job_id DESC
    )
    SELECT count(*) AS n,
           count(*) FILTER (WHERE ours.is_right AND NOT theirs.is_right) AS better,
           count(*) FILTER (WHERE theirs.is_right AND NOT ours.is_right) AS worse
    FROM answer ours JOIN answer theirs USING (tenant_id, sha256)
    WHERE ours.version_id = :candidate AND theirs.version_id = :active
    """  # noqa: S608 - a constant
).bindparams(*(bindparam(name, type_=PG_UUID(as_uuid=True)) for name in ("candidate", "active")))


def paired(candidate: UUID, active: UUID) -> TextClause:
    """`n` judged inputs that both answered, and how many only the candidate (`better`) or the active got right."""
    return _PAIRED.bindparams(candidate=candidate, active=active)
