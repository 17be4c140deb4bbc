"""What versions in service are counted in: rollups, what they are held against, and the alerts that follow."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id


class Watermark(Base):
    """How far something has read through the jobs that ended, in the order of (`ended_in`, id).

    Who reads on locks the row, counts and moves it in one transaction: a kill between counts nothing, or all of it.
    """

    __tablename__ = "watermarks"
    name: Mapped[str] = mapped_column(primary_key=True)
    ended_in: Mapped[int]
    job_id: Mapped[UUID]
    moved_at: Mapped[datetime] = now()


class Rollup(Base):
    """One measure of what one version ended for one hospital, site and device, in `width` seconds from `since` on.

    `counts`: one number for each bin of `shared/measures.py`. Site or device is empty where it is not known.
    """

    __tablename__ = "rollups"
    __table_args__ = (
        UniqueConstraint(
            *("tenant_id", "width", "since", "modality", "version_id", "measure", "site", "device"),
            name="uq_rollups_cell",
        ),
    )
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    width: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime]
    modality: Mapped[str]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    measure: Mapped[str]
    site: Mapped[str]
    device: Mapped[str]
    counts: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class Reference(Base):
    """One measure of a version's first results in service, which later ones are held against.

    One row for the hospital, each site, each device and each device at a site; empty means all of them.
    """

    __tablename__ = "drift_references"
    __table_args__ = (UniqueConstraint("tenant_id", "version_id", "site", "device", "measure"),)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    modality: Mapped[str]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    site: Mapped[str]
    device: Mapped[str]
    measure: Mapped[str]
    counts: Mapped[list[int]] = mapped_column(ARRAY(Integer))


class DriftAlert(Base):
    """A measure that left its reference: open until it came back, acknowledged when a person has seen it.

    `raised_psi`, `worst_psi` and `psi`: when it was raised, at its worst, at the last look. Site and device as in
    Reference.
    """

    __tablename__ = "drift_alerts"
    __table_args__ = (
        Index(
            "uq_drift_alerts_open",
            *("tenant_id", "version_id", "site", "device", "measure"),
            unique=True,
            postgresql_where=text("cleared_at IS NULL"),
        ),
        Index("ix_drift_alerts_tenant_id_id", "tenant_id", "id"),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    modality: Mapped[str]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    site: Mapped[str]
    device: Mapped[str]
    measure: Mapped[str]
    raised_psi: Mapped[float]
    worst_psi: Mapped[float]
    psi: Mapped[float]
    results: Mapped[int]
    raised_at: Mapped[datetime] = now()
    looked_at: Mapped[datetime] = now()
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    note: Mapped[str | None]
    cleared_at: Mapped[datetime | None]
