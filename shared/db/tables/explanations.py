"""Explanations of results, made on demand."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now


class ResultExplanation(Base):
    """Why a job's version scored as it did; `answer` is a `Reasoning`, there once it is made.

    A worker holds it by `lease_until`, with `attempts` as its fence: it works on it between jobs, in no transaction.
    """

    __tablename__ = "explanations"
    __table_args__ = (Index("ix_explanations_open", "requested_at", postgresql_where=text("state = 'waiting'")),)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    state: Mapped[str] = mapped_column(
        CheckConstraint("state IN ('waiting', 'made', 'failed')", name="state"), server_default=text("'waiting'")
    )
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    lease_until: Mapped[datetime | None]
    code: Mapped[str | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    requested_at: Mapped[datetime] = now()
    made_at: Mapped[datetime | None]
