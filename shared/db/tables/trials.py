"""What a version that is only tried out would have answered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now


class ShadowResult(Base):
    """What a shadow makes of an input that the active version has answered; nobody is told it as an answer.

    The row is made before the input is touched, so that an input that kills its worker is not tried again: a row that
    stays without `finished_at` is one of those. `code` says why there is no answer. `ms`: preparing and predicting.
    """

    __tablename__ = "shadow_results"
    __table_args__ = (
        CheckConstraint("finished_at IS NULL OR (decision IS NULL) = (code IS NOT NULL)", name="answered"),
        Index("ix_shadow_results_version_id_answered_at", "version_id", "answered_at"),
    )
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    answered_at: Mapped[datetime]  # when the active version had answered
    score: Mapped[float | None]
    distance: Mapped[float | None]
    probability: Mapped[float | None]
    decision: Mapped[str | None]
    code: Mapped[str | None]
    ms: Mapped[float] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = now()
    finished_at: Mapped[datetime | None]
