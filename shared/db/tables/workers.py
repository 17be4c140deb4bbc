"""Who works, and which jobs he holds."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class Worker(Base):
    """One worker process: alive while it writes `seen_at`. What its machine measures stands in `report`."""

    __tablename__ = "workers"
    id: Mapped[UUID] = own_id()
    host: Mapped[str]
    pid: Mapped[int]
    modalities: Mapped[list[str]]
    report: Mapped[dict[str, Any]]
    started_at: Mapped[datetime] = now()
    seen_at: Mapped[datetime] = now()
    stopped_at: Mapped[datetime | None]


class Claim(Base):
    """The rows one worker holds under one lease: one hospital, modality, class, version. Its number is the fence.

    `turn_began` and `turn_ended` are where the hospital stood in its class, in jobs / weight, before and after it: the
    latest claims say whose turn it is. (Claims made before turns were counted have neither hospital nor class.)
    """

    __tablename__ = "claims"
    __table_args__ = (
        Index("ix_claims_open", "lease_until", postgresql_where=text("ended_at IS NULL")),
        Index("ix_claims_tenant_id_priority_id", "tenant_id", "priority", "id"),
        Index("ix_claims_modality_priority_id", "modality", "priority", "id"),
    )
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    worker_id: Mapped[UUID] = mapped_column(ForeignKey("workers.id"))
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    modality: Mapped[str]
    priority: Mapped[int | None] = mapped_column(SmallInteger)
    turn_began: Mapped[float] = mapped_column(server_default=text("0"))
    turn_ended: Mapped[float] = mapped_column(server_default=text("0"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    generation: Mapped[int]
    lease_until: Mapped[datetime]
    started_at: Mapped[datetime] = now()
    ended_at: Mapped[datetime | None]
