"""Training anew from what clinicians have judged: when, with what, and which verdicts went into it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class RetrainingRule(Base):
    """When one hospital's verdicts on a modality are trained on, and how. One row for each modality.

    `min_labels`: so many new confirmed labels since the last retraining; `on_drift`: an alert that was raised since.
    `plan`: what to train, as `shared.schemas.RetrainingPlan`.
    """

    __tablename__ = "retraining_rules"
    __table_args__ = (UniqueConstraint("tenant_id", "modality"),)
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    modality: Mapped[str]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    plan: Mapped[dict[str, Any]]
    min_labels: Mapped[int | None]
    on_drift: Mapped[bool]
    enabled: Mapped[bool]
    changed_at: Mapped[datetime] = now()


class Retraining(Base):
    """One training from verdicts, from its cause to a candidate in the shadow. One is open for a modality at most.

    `evidence` says what the cause was: how many labels, which alert. A trainer collects the data set of its run, and
    writes `fingerprint` and `counts` with the labels.
    """

    __tablename__ = "retrainings"
    __table_args__ = (
        CheckConstraint("cause IN ('asked', 'labels', 'drift')", name="cause"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
        Index("uq_retrainings_open", "tenant_id", "modality", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_retrainings_tenant_id_id", "tenant_id", "id"),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    modality: Mapped[str]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    cause: Mapped[str]
    evidence: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    reason: Mapped[str]
    plan: Mapped[dict[str, Any]]
    run_id: Mapped[UUID] = mapped_column(ForeignKey("training_runs.id"), unique=True)
    fingerprint: Mapped[str | None]
    counts: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = now()
    collected_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class RetrainingLabel(Base):
    """One judged input of a retraining. `held_out`: of a patient who is never trained on, kept to test with."""

    __tablename__ = "retraining_labels"
    retraining_id: Mapped[UUID] = mapped_column(ForeignKey("retrainings.id"), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True, index=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    label: Mapped[str]
    basis: Mapped[str]
    adjudicated: Mapped[bool]
    held_out: Mapped[bool]
