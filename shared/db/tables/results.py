"""What a job ends with, and pictures of what it was about."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now


class Result(Base):
    """The row a job ends with: what the version said and where it came from. What the card says is not repeated.

    `review` follows from verdicts and second readings and is kept here, so that a list costs nothing more: no state
    but NULL for `none`. Whoever changes verdicts locks this row first.
    """

    __tablename__ = "results"
    __table_args__ = (
        Index("ix_results_tenant_id_decision", "tenant_id", "decision", "job_id"),
        Index(
            "ix_results_tenant_id_review",
            *("tenant_id", "review", "job_id"),
            postgresql_where=text("review IS NOT NULL"),
        ),
    )
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    claim_id: Mapped[int] = mapped_column(ForeignKey("claims.id"))
    input_sha256: Mapped[str]
    score: Mapped[float]
    distance: Mapped[float]
    probability: Mapped[float]
    decision: Mapped[str]
    quality: Mapped[list[dict[str, Any]]]
    reasons: Mapped[list[dict[str, Any]]]
    runtime: Mapped[dict[str, Any]]
    timings: Mapped[dict[str, Any]]
    header: Mapped[dict[str, Any] | None]  # what the file itself said; None from a worker that did not keep it
    reused_from: Mapped[UUID | None]  # the job whose computing this is
    features: Mapped[dict[str, Any] | None]  # what `shared/measures.py` names of the input; None before it was kept
    created_at: Mapped[datetime] = now()
    review: Mapped[str | None]
    review_label: Mapped[str | None]
    reviewed_at: Mapped[datetime | None]


class Rendition(Base):
    """A picture of a job's input for a page, made on demand by a worker after all jobs."""

    __tablename__ = "renditions"
    __table_args__ = (Index("ix_renditions_waiting", "requested_at", postgresql_where=text("state = 'waiting'")),)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    state: Mapped[str] = mapped_column(
        CheckConstraint("state IN ('waiting', 'made', 'failed')", name="state"), server_default=text("'waiting'")
    )
    sha256: Mapped[str | None]
    requested_at: Mapped[datetime] = now()
