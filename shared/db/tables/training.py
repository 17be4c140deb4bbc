"""Training runs and what they told, epoch by epoch."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id
from shared.schemas import RunState

_STATES = ", ".join(f"'{state}'" for state in RunState)


class TrainingRun(Base):
    """One request to train a recipe. As with jobs the row is the truth: `fence` grows with every claim.

    `dataset` is a name that a trainer knows a folder for; no path ever comes from a request. `figures` and `notes` are
    what was measured and what the gates remarked, whether or not a version was published.
    """

    __tablename__ = "training_runs"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("mode IN ('faithful', 'sound')", name="mode"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="leased"),
        Index("ix_training_runs_waiting", "id", postgresql_where=text("state = 'queued'")),
        Index("ix_training_runs_leased", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
        Index("ix_training_runs_tenant_id_id", "tenant_id", "id"),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    recipe: Mapped[str]
    mode: Mapped[str]
    seed: Mapped[int]
    dataset: Mapped[str]
    name: Mapped[str]
    options: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    stage: Mapped[str | None]
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int] = mapped_column(server_default=text("0"))
    seconds_left: Mapped[float | None]
    figures: Mapped[dict[str, Any] | None]
    notes: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    code: Mapped[str | None]
    detail: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    worker_id: Mapped[UUID | None] = mapped_column(ForeignKey("workers.id"))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = now()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class TrainingPoint(Base):
    """One epoch of a run: what the source documents logged. `position` counts over all stages of the run."""

    __tablename__ = "training_points"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("training_runs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    stage: Mapped[str]
    epoch: Mapped[int]
    loss: Mapped[float]
    accuracy: Mapped[float]
    tp: Mapped[int]
    fp: Mapped[int]
    tn: Mapped[int]
    fn: Mapped[int]
    seconds: Mapped[float]
    at: Mapped[datetime] = now()
