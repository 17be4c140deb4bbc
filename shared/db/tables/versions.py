"""Published versions, the pointers that say which answers, and every move of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class Version(Base):
    """A published version. Immutable but for `recalled_at`. No tenant: everybody may use it."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("modality", "name"),)
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    sha256: Mapped[str] = mapped_column(unique=True)
    modality: Mapped[str]
    finding: Mapped[str]
    recipe: Mapped[str]
    name: Mapped[str]
    card: Mapped[dict[str, Any]]
    published_by: Mapped[str]
    published_at: Mapped[datetime] = now()
    recalled_at: Mapped[datetime | None]
    recall_reason: Mapped[str | None]


class Deployment(Base):
    """The pointers of one modality and finding, for one tenant or for all; moved by compare-and-swap on generation.

    No `active_id`: the version that answered was recalled and nothing could take its place, so jobs wait.
    `prepare_id` is what workers load ahead of a move; it decides nothing, so setting it is no move.
    """

    __tablename__ = "deployments"
    __table_args__ = (UniqueConstraint("modality", "finding", "tenant_id", postgresql_nulls_not_distinct=True),)
    id: Mapped[UUID] = own_id()
    modality: Mapped[str]
    finding: Mapped[str]
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    generation: Mapped[int]
    active_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    previous_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    canary_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    canary_share: Mapped[float] = mapped_column(server_default=text("0"))
    shadow_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    prepare_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    changed_at: Mapped[datetime] = now()


class DeploymentEvent(Base):
    """One move of a pointer: append-only, written in the same transaction.

    `from_id` and `to_id` are the versions that `action` moved between; none when there was or is none. `evidence` is
    what the move rested on: who had the version warm, which gates passed, which pointers went with it.
    """

    __tablename__ = "deployment_events"
    __table_args__ = (UniqueConstraint("deployment_id", "generation"),)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    generation: Mapped[int]
    action: Mapped[str]
    from_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    to_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    actor: Mapped[str]
    reason: Mapped[str]
    evidence: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    at: Mapped[datetime] = now()


class Proposal(Base):
    """A promotion that one person proposed, for another to approve: one at a time for each deployment."""

    __tablename__ = "proposals"
    __table_args__ = (
        Index("ix_proposals_open", "deployment_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
    id: Mapped[UUID] = own_id()
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    generation: Mapped[int]
    person: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]
    override: Mapped[str | None]
    created_at: Mapped[datetime] = now()
    ended_at: Mapped[datetime | None]
