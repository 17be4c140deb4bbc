"""Two versions on the same inputs: of those whose truth a clinician told, how many did only one of them get right."""

from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.statements.judged import VERDICTS

# From the judged jobs, which are few, to everything that was answered on their inputs. `refer` is no answer.
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
    answer AS (
        SELECT DISTINCT ON (i.tenant_id, i.sha256, r.version_id)
               i.tenant_id, i.sha256, r.version_id, (r.decision = 'flagged') = t.present AS is_right
        FROM truth t
        JOIN job_inputs i ON i.tenant_id = t.tenant_id AND i.sha256 = t.sha256 AND i.position = 0
        JOIN results r ON r.job_id = i.job_id AND r.decision IN ('flagged', 'not_flagged')
        WHERE r.version_id IN (:candidate, :active)
        ORDER BY i.tenant_id, i.sha256, r.version_id, r.job_id DESC
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
