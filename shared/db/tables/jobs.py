"""Jobs: what was asked for, what it brings, what became of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id
from shared.schemas import JobState

PRIORITY_RANK = {"stat": 0, "routine": 1, "bulk": 2}
_STATES = ", ".join(f"'{state}'" for state in JobState)


class Study(Base):
    """What belongs together for one patient visit."""

    __tablename__ = "studies"
    __table_args__ = (UniqueConstraint("tenant_id", "external_id"),)
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    external_id: Mapped[str]
    subject_id: Mapped[str | None]
    dicom_study_uid: Mapped[str | None]
    created_at: Mapped[datetime] = now()


class Job(Base):
    """One request to classify one input with one version. The row is the truth; the queue is a hint.

    `claim_id` is the fence: a result is committed only while it is still the writer's own. `solo` rows lost a lease
    before and are claimed alone, so that a crash takes no neighbours down. `size_bytes` is the size of all its inputs,
    repeated here so that admission can add up what waits without a join. `item` names the job inside its batch;
    `ended_in` is the transaction that ended it (nought: before that was kept), written by a trigger, in the order of
    `shared/db/statements/order.py`: a cursor that no late commit slips behind.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("(state = 'running') = (claim_id IS NOT NULL)", name="claimed"),
        Index(
            "ix_jobs_waiting",
            "tenant_id",
            "modality",
            "priority",
            text("COALESCE(requested_id, '00000000-0000-0000-0000-000000000000'::uuid)"),
            text("GREATEST(not_before, created_at)"),
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_jobs_deadlines",
            "not_after",
            postgresql_where=text("state = 'queued' AND not_after IS NOT NULL"),
        ),
        Index("ix_jobs_before_bulk", "priority", postgresql_where=text("state = 'queued' AND priority < 2")),
        Index("ix_jobs_dead", "tenant_id", "id", postgresql_where=text("state = 'dead'")),
        Index("ix_jobs_claim_id", "claim_id", postgresql_where=text("claim_id IS NOT NULL")),
        Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
        Index(
            "ix_jobs_tenant_id_client_ref",
            "tenant_id",
            "client_ref",
            "id",
            postgresql_where=text("client_ref IS NOT NULL"),
            postgresql_ops={"client_ref": "text_pattern_ops"},
        ),
        Index(
            "ix_jobs_tenant_id_subject_id",
            "tenant_id",
            "subject_id",
            "id",
            postgresql_where=text("subject_id IS NOT NULL"),
        ),
        Index("ix_jobs_tenant_id_site", "tenant_id", "site", "id", postgresql_where=text("site IS NOT NULL")),
        Index(
            "ix_jobs_unanswered",
            "tenant_id",
            "id",
            postgresql_where=text("state IN ('failed', 'rejected', 'cancelled', 'dead')"),
        ),
        Index("ix_jobs_tenant_id_study_id", "tenant_id", "study_id", postgresql_where=text("study_id IS NOT NULL")),
        Index("uq_jobs_batch_id_item", "batch_id", "item", unique=True, postgresql_where=text("batch_id IS NOT NULL")),
        Index(
            "ix_jobs_batch_id_ended_in",
            *("batch_id", "ended_in", "id"),
            postgresql_where=text("batch_id IS NOT NULL AND ended_in IS NOT NULL"),
        ),
        Index("ix_jobs_ended_in_id", "ended_in", "id", postgresql_where=text("ended_in IS NOT NULL")),
        Index("ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index("ix_jobs_version_id_id", "version_id", "id", postgresql_where=text("version_id IS NOT NULL")),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    study_id: Mapped[UUID | None] = mapped_column(ForeignKey("studies.id"))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id"))
    item: Mapped[str | None]
    modality: Mapped[str]
    priority: Mapped[int] = mapped_column(SmallInteger)
    requested_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    claim_id: Mapped[int | None] = mapped_column(ForeignKey("claims.id"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    solo: Mapped[bool] = mapped_column(server_default=text("false"))
    size_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    code: Mapped[str | None]
    detail: Mapped[str | None]
    not_before: Mapped[datetime | None]
    not_after: Mapped[datetime | None]
    client_ref: Mapped[str | None]
    subject_id: Mapped[str | None]
    site: Mapped[str | None]
    device: Mapped[str | None]
    acquired_at: Mapped[datetime | None]
    age_years: Mapped[float | None]
    sex: Mapped[str | None]
    view: Mapped[str | None]
    created_at: Mapped[datetime] = now()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    ended_in: Mapped[int | None]
    comparison_id: Mapped[UUID | None] = mapped_column(ForeignKey("comparisons.id"))  # its batch's


class JobInput(Base):
    """A stored input of a job: one row today, several later. The blob's key is tenant and sha256."""

    __tablename__ = "job_inputs"
    __table_args__ = (UniqueConstraint("job_id", "position"), Index("ix_job_inputs_blob", "tenant_id", "sha256"))
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    position: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    media_type: Mapped[str]


class JobEvent(Base):
    """One change of a job's state: append-only."""

    __tablename__ = "job_events"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), index=True)
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    cause: Mapped[str]
    claim_id: Mapped[int | None]
    at: Mapped[datetime] = now()


class IdempotencyKey(Base):
    """Remembers which job a key made, and for which request."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at", postgresql_using="brin"),)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    request_sha256: Mapped[str]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", deferrable=True, initially="DEFERRED"))
    created_at: Mapped[datetime] = now()
