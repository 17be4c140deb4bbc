"""Jobs that have ended, put into the database as a worker's commit would leave them."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.db.engine import Database
from shared.db.tables import Job, Version, new_id
from shared.schemas import Modality

# Queued first, for the trigger that writes `ended_in` sees an UPDATE.
_SAID = """
    WITH said AS (
        SELECT * FROM jsonb_to_recordset(:rows) AS r(
            id uuid, state text, site text, device text, probability float8, distance float8, decision text,
            features jsonb, ago float8)
    ),
    claim AS (SELECT max(id) AS id FROM claims)
"""
_QUEUED = text(
    _SAID
    + """
    INSERT INTO jobs (id, tenant_id, principal_id, modality, priority, version_id, site, device)
    SELECT said.id, :tenant, :principal, :modality, 1, :version, said.site, said.device FROM said
    """
).bindparams(bindparam("rows", type_=JSONB))
_RESULTS = text(
    _SAID
    + """
    INSERT INTO results (job_id, tenant_id, version_id, claim_id, input_sha256, score, distance, probability, decision,
                         quality, reasons, runtime, timings, features)
    SELECT said.id, :tenant, :version, claim.id, repeat('0', 64), 0, COALESCE(distance, 0.1),
           COALESCE(probability, 0.5), COALESCE(decision, 'flagged'), '[]', '[]', '{}', '{}', features
    FROM said, claim WHERE COALESCE(said.state, 'succeeded') = 'succeeded'
    """
).bindparams(bindparam("rows", type_=JSONB))
_ENDED = text(
    _SAID
    + """
    UPDATE jobs SET state = COALESCE(said.state, 'succeeded'),
                    finished_at = now() - make_interval(secs => COALESCE(said.ago, 0))
    FROM said WHERE jobs.id = said.id
    """
).bindparams(bindparam("rows", type_=JSONB))
_CLAIM = text(
    """
    WITH worker AS (
        INSERT INTO workers (id, host, pid, modalities, report) VALUES (:worker, 'test', 1, '{}', '{}') RETURNING id)
    INSERT INTO claims (worker_id, modality, version_id, generation, lease_until, ended_at)
    SELECT id, :modality, :version, 1, now(), now() FROM worker
    """
)


def version_of(database: Database, modality: Modality) -> UUID:
    """The id of a modality's version."""
    with database.begin() as session:
        return session.query(Version.id).filter(Version.modality == modality).order_by(Version.published_at).first()[0]


def ended(
    database: Database, hospital: Any, version: UUID, rows: Sequence[dict[str, Any]], modality: Modality
) -> list[UUID]:
    """End jobs in one transaction: `state`, `probability`, `decision`, `distance`, `features`, `site`, `ago` (s)."""
    with database.begin() as session:
        return end(session, hospital, version, rows, modality)


def end(
    session: Session, hospital: Any, version: UUID, rows: Sequence[dict[str, Any]], modality: Modality
) -> list[UUID]:
    """The same in a transaction of the caller's."""
    ids = [new_id() for _ in rows]
    named = [{"id": str(i), **row} for i, row in zip(ids, rows, strict=True)]
    whose = {"tenant": hospital.tenant_id, "principal": hospital.principal_id, "version": version, "modality": modality}
    session.execute(_CLAIM, {"worker": new_id(), **whose})
    for statement in (_QUEUED, _RESULTS, _ENDED):
        session.execute(statement, {"rows": json.loads(json.dumps(named)), **whose})
    assert session.get(Job, ids[0]) is not None
    return ids
