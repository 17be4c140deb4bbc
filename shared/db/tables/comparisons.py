"""Two versions on the same inputs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class Comparison(Base):
    """Two versions and which of a hospital's studies they are compared on; `wanted` is the filter, as it was asked.

    Where a version has not answered an input yet, a job of the comparison does it: no clinical result.
    """

    __tablename__ = "comparisons"
    __table_args__ = (
        Index("ix_comparisons_tenant_id_id", "tenant_id", "id"),
        Index("uq_comparisons_key", "principal_id", "key", unique=True, postgresql_where=text("key IS NOT NULL")),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    key: Mapped[str | None]
    first_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    second_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    wanted: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now()


class ComparisonInput(Base):
    """An input that both are compared on, once however often it was sent; `job_id` is the latest that sent it."""

    __tablename__ = "comparison_inputs"
    comparison_id: Mapped[UUID] = mapped_column(ForeignKey("comparisons.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
