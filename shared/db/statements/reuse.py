"""What the same version made of the same bytes before, for the same hospital."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

# Any result will do: the same bytes have the same score by the same version, so nothing is sorted.
_KNOWN = text(
    """
    SELECT held.job_id, known.*
    FROM job_inputs held
    CROSS JOIN LATERAL (
        SELECT COALESCE(r.reused_from, r.job_id) AS source, r.score, r.distance, r.quality, r.runtime, r.header,
               r.features
        FROM job_inputs other JOIN results r ON r.job_id = other.job_id
        WHERE other.tenant_id = held.tenant_id AND other.sha256 = held.sha256 AND other.position = 0
          AND r.tenant_id = held.tenant_id AND r.version_id = :version AND r.input_sha256 = held.sha256
          AND r.header IS NOT NULL
        LIMIT 1) AS known
    WHERE held.job_id = ANY (:jobs) AND held.position = 0
      AND EXISTS (SELECT FROM versions WHERE id = :version AND recalled_at IS NULL)
    """
).bindparams(
    bindparam("jobs", type_=ARRAY(PG_UUID(as_uuid=True))),
    bindparam("version", type_=PG_UUID(as_uuid=True)),
)


def known(version: UUID, jobs: Sequence[UUID]) -> TextClause:
    """For each of these jobs that has one, a result of its own hospital for its bytes by this version, not recalled."""
    return _KNOWN.bindparams(version=version, jobs=list(jobs))
