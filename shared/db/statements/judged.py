"""Judged jobs: what clinicians said of results, as labels to learn from. Every statement names the tenant."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on

from shared.db.tables import Feedback, Job, JobInput, Result, Tenant, Version


def judged(
    tenant: UUID, modality: str, finding: str, bases: Collection[str], since: datetime | None
) -> Select[*tuple[Any, ...]]:
    """The latest standing verdict of each reader on each of a tenant's results, on one of these bases.

    Verdicts that were withdrawn, and those on another finding, are left out.
    """
    query = (
        select(
            Job.id, Job.subject_id, Job.site, Job.device, Job.view, Job.age_years, Job.sex,
            JobInput.sha256, Result.decision, Feedback.verdict, Feedback.label, Feedback.basis,
        )
        .ext(distinct_on(Feedback.job_id, Feedback.principal_id))
        .join(Job, Job.id == Feedback.job_id)
        .join(JobInput, (JobInput.job_id == Job.id) & (JobInput.position == 0))
        .join(Result, Result.job_id == Job.id)
        .join(Version, Version.id == Result.version_id)
        .where(Feedback.tenant_id == tenant, Job.tenant_id == tenant, Feedback.withdrawn_at.is_(None))
        .where(Job.modality == modality, Version.finding == finding, Feedback.basis.in_(bases))
        .order_by(Feedback.job_id, Feedback.principal_id, Feedback.created_at.desc(), Feedback.id.desc())
    )  # fmt: skip
    return query if since is None else query.where(Feedback.created_at >= since)


def pseudonym_key(tenant: UUID) -> Select[bytes]:
    """The hospital's own key, under which its subjects are renamed."""
    return select(Tenant.pseudonym_key).where(Tenant.id == tenant)
