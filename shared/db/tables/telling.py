"""What others learn: webhooks and their outbox, the audit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class Webhook(Base):
    """An address of a hospital's system that is told what happened. `failures` in a row pause it, ever longer."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_tenant_id", "tenant_id", postgresql_where=text("removed_at IS NULL")),)
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    url: Mapped[str]
    events: Mapped[list[str]]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    paused_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = now()
    disabled_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class Delivery(Base):
    """The outbox: what one webhook is to be told, written by a trigger in the transaction in which it happened.

    Whoever sends it moves `due_at` on by a lease first, so that one that dies meanwhile is followed by another.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'dead')", name="state"),
        Index("ix_deliveries_waiting", "webhook_id", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_deliveries_created_at", "created_at", postgresql_using="brin"),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id"))
    event: Mapped[str]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id"))
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("drift_alerts.id"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    status: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    due_at: Mapped[datetime] = now()
    answer: Mapped[str | None]
    created_at: Mapped[datetime] = now()
    ended_at: Mapped[datetime | None]


class AuditEvent(Base):
    """One read or change of patient data, keys or pointers: append-only."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_tenant_id_id", "tenant_id", "id"),)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    credential_id: Mapped[UUID | None]
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str | None]
    request_id: Mapped[str | None]
    at: Mapped[datetime] = now()
