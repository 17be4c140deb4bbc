"""Who: hospitals, the persons and systems that act for them, and their keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class Tenant(Base):
    """A hospital. `weight` is its share when the service is busy."""

    __tablename__ = "tenants"
    id: Mapped[UUID] = own_id()
    name: Mapped[str] = mapped_column(unique=True)
    weight: Mapped[float] = mapped_column(server_default=text("1"))
    pseudonym_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = now()


class Principal(Base):
    """A named person or system that acts for a tenant.

    `person`: who that is, or who answers for it; two principals of one person are one person. A system may have none.
    """

    __tablename__ = "principals"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    person: Mapped[str | None]
    kind: Mapped[str] = mapped_column(CheckConstraint("kind IN ('person', 'system')", name="kind"))
    roles: Mapped[list[str]]
    created_at: Mapped[datetime] = now()
    disabled_at: Mapped[datetime | None]


class Credential(Base):
    """An API key, a one-time sign-in link or a session of a principal; only the sha256 of its secret is kept."""

    __tablename__ = "credentials"
    id: Mapped[UUID] = own_id()
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), index=True)
    kind: Mapped[str] = mapped_column(CheckConstraint("kind IN ('key', 'link', 'session')", name="kind"))
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    hint: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = now()
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
