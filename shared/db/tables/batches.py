"""Batches: many jobs that were sent as one, and the items that made none."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class Batch(Base):
    """One bulk submission of many jobs, known by its sender's Idempotency-Key.

    `pinned` names the version id that answers for each modality: what was active when the batch was accepted. The jobs
    of a `comparison_id` only compare versions: they are on no worklist, tell nobody, and count nowhere else.
    From `look_at` on somebody looks whether it has ended; `finished_at` is when that was found, once.
    """

    __tablename__ = "batches"
    __table_args__ = (
        UniqueConstraint("principal_id", "key"),
        Index("ix_batches_tenant_id_id", "tenant_id", "id"),
        Index("ix_batches_look_at", "look_at", postgresql_where=text("finished_at IS NULL")),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    key: Mapped[str]
    client_ref: Mapped[str | None]
    pinned: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now()
    cancelled_at: Mapped[datetime | None]
    comparison_id: Mapped[UUID | None] = mapped_column(ForeignKey("comparisons.id"))
    finished_at: Mapped[datetime | None]
    look_at: Mapped[datetime] = now()


class BatchError(Base):
    """An item of a batch that made no job, and why; it goes when the item is sent again and accepted."""

    __tablename__ = "batch_errors"
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    line: Mapped[int]
    code: Mapped[str]
    detail: Mapped[str]
