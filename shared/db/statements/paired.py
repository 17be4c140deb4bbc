"""Two versions on the same inputs: of those whose truth a clinician told, how many did only one of them get right."""

from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

# From the judged jobs, which are few, to everything that was answered on their inputs. `refer` is no answer.
_PAIRED = text(
    """
    WITH truth AS (
        SELECT i.tenant_id, i.sha256, bool_or((f.verdict = 'agree') = (r.decision = 'flagged')) AS present
        FROM feedback f
        JOIN results r ON r.job_id = f.job_id AND r.decision IN ('flagged', 'not_flagged')
        JOIN versions v ON v.id = r.version_id AND (v.modality, v.finding) IN (
            SELECT modality, finding FROM versions WHERE id = :candidate)
        JOIN job_inputs i ON i.job_id = f.job_id AND i.position = 0
        WHERE f.withdrawn_at IS NULL AND f.verdict IN ('agree', 'disagree')
        GROUP BY i.tenant_id, i.sha256
        HAVING bool_or((f.verdict = 'agree') = (r.decision = 'flagged'))
             = bool_and((f.verdict = 'agree') = (r.decision = 'flagged'))
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
    """
).bindparams(*(bindparam(name, type_=PG_UUID(as_uuid=True)) for name in ("candidate", "active")))


def paired(candidate: UUID, active: UUID) -> TextClause:
    """`n` judged inputs that both answered, and how many only the candidate (`better`) or the active got right."""
    return _PAIRED.bindparams(candidate=candidate, active=active)
