"""Heartbeat, finish, give back, reap: what becomes of jobs that turns.py took. All time is the database's own clock.

A claim's number is the fence. Whoever writes a result proves in the same statement that the row is still its own.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

_HEARTBEAT = text(
    """
    UPDATE claims SET lease_until = now() + make_interval(secs => :lease)
    WHERE id = :claim AND ended_at IS NULL RETURNING id
    """
)

# What the file's header says fills only what the caller left open.
_FINISH = text(
    """
    WITH answer AS (
        SELECT * FROM jsonb_to_recordset(:answers) AS a(
            job_id uuid, state text, code text, detail text, input_sha256 text, score float8, distance float8,
            probability float8, decision text, quality jsonb, reasons jsonb, runtime jsonb, timings jsonb,
            header jsonb, reused_from uuid, features jsonb,
            subject_id text, site text, device text, acquired_at timestamptz, age_years float8, sex text, view text)
    ),
    ended AS (
        UPDATE jobs j
        SET state = a.state, code = a.code, detail = a.detail, claim_id = NULL, finished_at = now(),
            subject_id = COALESCE(j.subject_id, a.subject_id), site = COALESCE(j.site, a.site),
            device = COALESCE(j.device, a.device), acquired_at = COALESCE(j.acquired_at, a.acquired_at),
            age_years = COALESCE(j.age_years, a.age_years), sex = COALESCE(j.sex, a.sex),
            view = COALESCE(j.view, a.view)
        FROM answer a
        WHERE j.id = a.job_id AND j.claim_id = :claim AND j.state = 'running'
        RETURNING j.id, j.tenant_id, j.version_id, j.state
    ),
    result AS (
        INSERT INTO results (job_id, tenant_id, version_id, claim_id, input_sha256, score, distance, probability,
                             decision, quality, reasons, runtime, timings, header, reused_from,
                             features)
        SELECT e.id, e.tenant_id, e.version_id, :claim, a.input_sha256, a.score, a.distance, a.probability,
               a.decision, a.quality, a.reasons, a.runtime, a.timings, a.header, a.reused_from,
               a.features
        FROM ended e JOIN answer a ON a.job_id = e.id WHERE e.state = 'succeeded'
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause, claim_id)
        SELECT tenant_id, id, 'running', state, 'answered', :claim FROM ended
    )
    SELECT id FROM ended
    """
).bindparams(bindparam("answers", type_=JSONB))

# A study that the header names is found or made, for the jobs whose caller named none.
_ATTACH_STUDIES = text(
    """
    WITH named AS (
        SELECT j.id, j.tenant_id, j.subject_id, a.study_uid
        FROM jsonb_to_recordset(:studies) AS a(job_id uuid, study_uid text)
        JOIN jobs j ON j.id = a.job_id
        WHERE j.study_id IS NULL
    ),
    study AS (
        INSERT INTO studies (id, tenant_id, external_id, subject_id, dicom_study_uid)
        SELECT DISTINCT ON (tenant_id, study_uid) id, tenant_id, study_uid, subject_id, study_uid FROM named
        ON CONFLICT (tenant_id, external_id) DO UPDATE SET dicom_study_uid = EXCLUDED.dicom_study_uid
        RETURNING id, tenant_id, external_id
    )
    UPDATE jobs SET study_id = study.id FROM named JOIN study
        ON study.tenant_id = named.tenant_id AND study.external_id = named.study_uid
    WHERE jobs.id = named.id
    """
).bindparams(bindparam("studies", type_=JSONB))

# `charged`: the attempt counts (its child died of this input); else it is handed back as if never taken.
_GIVE_BACK = text(
    """
    WITH back AS (
        UPDATE jobs
        SET state = CASE WHEN :charged AND attempts >= :most THEN :last_state ELSE 'queued' END,
            finished_at = CASE WHEN :charged AND attempts >= :most THEN now() END,
            code = CASE WHEN :charged AND attempts >= :most THEN :code END,
            detail = CASE WHEN :charged AND attempts >= :most THEN :detail END,
            attempts = CASE WHEN :charged THEN attempts ELSE attempts - 1 END,
            solo = solo OR :charged,
            claim_id = NULL, started_at = NULL,
            not_before = CASE WHEN :pause > 0 THEN now() + make_interval(secs => :pause) ELSE not_before END
        WHERE claim_id = :claim AND state = 'running' AND id = ANY (:jobs)
        RETURNING id, tenant_id, state
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause, claim_id)
        SELECT tenant_id, id, 'running', state, :cause, :claim FROM back
    )
    SELECT id, state FROM back
    """
).bindparams(bindparam("jobs", type_=ARRAY(PG_UUID(as_uuid=True))))

# The reaper looks at open claims only: a claim that was closed with a job in it would never give it back.
# now() is when the transaction began; a heartbeat of another connection may have extended the lease since.
_END_CLAIM = text(
    """
    UPDATE claims SET ended_at = clock_timestamp()
    WHERE id = :claim AND ended_at IS NULL
      AND NOT EXISTS (SELECT FROM jobs WHERE claim_id = :claim AND state = 'running')
    RETURNING id
    """
)

_REAP = text(
    """
    WITH lost AS (
        UPDATE claims SET ended_at = now()
        WHERE id IN (
            SELECT id FROM claims WHERE ended_at IS NULL AND lease_until < now() FOR UPDATE SKIP LOCKED
        )
        RETURNING id
    ),
    freed AS (
        UPDATE jobs j
        SET state = CASE WHEN j.attempts >= :most THEN 'dead' ELSE 'queued' END,
            finished_at = CASE WHEN j.attempts >= :most THEN now() END,
            code = CASE WHEN j.attempts >= :most THEN 'worker_lost' END,
            detail = CASE WHEN j.attempts >= :most THEN :detail END,
            solo = true, claim_id = NULL, started_at = NULL
        FROM lost WHERE j.claim_id = lost.id AND j.state = 'running'
        RETURNING j.id, j.tenant_id, j.modality, j.state, lost.id AS claim
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause, claim_id)
        SELECT tenant_id, id, 'running', state, 'lease_lost', claim FROM freed
    )
    SELECT id, modality, state FROM freed
    """
)

# Jobs that nobody will answer in time. So many at once that a beat stays short; the rest at the next one.
_EXPIRE = text(
    """
    WITH over AS (
        UPDATE jobs j
        SET state = 'failed', finished_at = now(), code = 'deadline', detail = :late
        WHERE j.id IN (
            SELECT id FROM jobs WHERE state = 'queued' AND not_after <= now() ORDER BY not_after LIMIT 1000
            FOR UPDATE SKIP LOCKED
        )
        RETURNING j.id, j.tenant_id, j.modality, j.code
    ),
    event AS (
        INSERT INTO job_events (tenant_id, job_id, from_state, to_state, cause)
        SELECT tenant_id, id, 'queued', 'failed', code FROM over
    )
    SELECT id, modality, code FROM over
    """
)


def heartbeat(claim_id: int, lease: float) -> TextClause:
    """Extend the lease; no row means that the claim was lost."""
    return _HEARTBEAT.bindparams(claim=claim_id, lease=lease)


def finish(claim_id: int, answers: list[dict[str, Any]]) -> TextClause:
    """End jobs with their answers; returns the ids that were still ours, and only those were written."""
    return _FINISH.bindparams(claim=claim_id, answers=answers)


def attach_studies(studies: list[dict[str, str]]) -> TextClause:
    """Link jobs to the study that their header names: [{job_id, study_uid}]."""
    return _ATTACH_STUDIES.bindparams(studies=studies)


def give_back(
    claim_id: int,
    jobs: Sequence[UUID],
    *,
    cause: str,
    charged: bool,
    most: int,
    last_state: str = "dead",
    code: str = "decoder_died",
    detail: str = "",
    pause: float = 0.0,
) -> TextClause:
    """Return jobs to the queue. Uncharged: the attempt too. Charged: alone next time, `last_state` after `most`."""
    return _GIVE_BACK.bindparams(
        claim=claim_id,
        jobs=list(jobs),
        cause=cause,
        charged=charged,
        most=most,
        last_state=last_state,
        code=code,
        detail=detail,
        pause=pause,
    )


def end_claim(claim_id: int) -> TextClause:
    """Close a claim if it holds nothing any more."""
    return _END_CLAIM.bindparams(claim=claim_id)


def reap(most: int, detail: str) -> TextClause:
    """Take back every claim whose lease ran out: its jobs wait again, alone next time, or are dead after `most`."""
    return _REAP.bindparams(most=most, detail=detail)


def expire(late: str) -> TextClause:
    """End waiting jobs whose deadline passed, at most 1,000."""
    return _EXPIRE.bindparams(late=late)
