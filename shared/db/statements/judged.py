"""Judged jobs: what clinicians said of results, as labels to learn from. Every statement names the tenant."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, DateTime, Select, Text, Uuid, column, select, text

from shared.db.tables import Job, JobInput, Result, Tenant, Version

# Every verdict that stands, second readings among them: one row a reader and result, without a label where he could not
# tell. A label that was adjudicated outranks those of single readers of the same input.
VERDICTS = """
    SELECT tenant_id, job_id, person, label, basis, saw_result_first, created_at AS given_at, false AS adjudicated
    FROM feedback WHERE withdrawn_at IS NULL AND replaced_at IS NULL
    UNION ALL
    SELECT tenant_id, job_id, person, label, basis, saw_result_first, closed_at, true
    FROM adjudications WHERE state = 'adjudicated'
"""
_VERDICT = (
    text(VERDICTS)
    .columns(
        *(column(name, Uuid()) for name in ("tenant_id", "job_id")),
        *(column(name, Text()) for name in ("person", "label", "basis")),
        *(column(name, Boolean()) for name in ("saw_result_first", "adjudicated")),
        column("given_at", DateTime(timezone=True)),
    )
    .subquery("verdict")
)


def judged(
    tenant: UUID, modality: str, finding: str, bases: Collection[str], since: datetime | None
) -> Select[*tuple[Any, ...]]:
    """The standing verdict of each reader on each of a tenant's results, on one of these bases, in the order given.

    Verdicts on another finding are left out.
    """
    said = _VERDICT.c
    query = (
        select(
            Job.id, Job.subject_id, Job.site, Job.device, Job.view, Job.age_years, Job.sex,
            JobInput.sha256, said.label, said.basis, said.saw_result_first, said.adjudicated,
        )
        .join(_VERDICT, said.job_id == Job.id)
        .join(JobInput, (JobInput.job_id == Job.id) & (JobInput.position == 0))
        .join(Result, Result.job_id == Job.id)
        .join(Version, Version.id == Result.version_id)
        .where(said.tenant_id == tenant, Job.tenant_id == tenant, said.basis.in_(bases))
        .where(Job.modality == modality, Version.finding == finding)
        .order_by(said.given_at, Job.id, said.person)
    )  # fmt: skip
    return query if since is None else query.where(said.given_at >= since)


def pseudonym_key(tenant: UUID) -> Select[bytes]:
    """The hospital's own key, under which its subjects are renamed."""
    return select(Tenant.pseudonym_key).where(Tenant.id == tenant)
