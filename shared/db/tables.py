"""Every table. Tenant on every row that holds or points to patient data; public ids are UUIDv7; times carry a zone."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.schemas import JobState, RunState

PRIORITY_RANK = {"stat": 0, "routine": 1, "bulk": 2}
_STATES = ", ".join(f"'{state}'" for state in JobState)
_RUN_STATES = ", ".join(f"'{state}'" for state in RunState)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by time of creation."""
    return uuid_utils.compat.uuid7()


class Base(DeclarativeBase):
    """Declarative base with named constraints, so that migrations can drop what they made."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        str: Text,
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
        int: BigInteger,
    }


def _id() -> Mapped[UUID]:
    return mapped_column(primary_key=True, default=new_id)


def _now() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


# --- who ------------------------------------------------------------------------------------------------------------


class Tenant(Base):
    """A hospital. `weight` is its share when the service is busy."""

    __tablename__ = "tenants"
    id: Mapped[UUID] = _id()
    name: Mapped[str] = mapped_column(unique=True)
    weight: Mapped[float] = mapped_column(server_default=text("1"))
    pseudonym_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = _now()


class Principal(Base):
    """A named person or system that acts for a tenant.

    `person`: who that is, or who answers for it; two principals of one person are one person. A system may have none.
    """

    __tablename__ = "principals"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    person: Mapped[str | None]
    kind: Mapped[str] = mapped_column(CheckConstraint("kind IN ('person', 'system')", name="kind"))
    roles: Mapped[list[str]]
    created_at: Mapped[datetime] = _now()
    disabled_at: Mapped[datetime | None]


class Credential(Base):
    """An API key, a one-time sign-in link or a session of a principal; only the sha256 of its secret is kept."""

    __tablename__ = "credentials"
    id: Mapped[UUID] = _id()
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), index=True)
    kind: Mapped[str] = mapped_column(CheckConstraint("kind IN ('key', 'link', 'session')", name="kind"))
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    hint: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = _now()
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


# --- versions and pointers ------------------------------------------------------------------------------------------


class Version(Base):
    """A published version. Immutable but for `recalled_at`. No tenant: everybody may use it."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("modality", "name"),)
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    sha256: Mapped[str] = mapped_column(unique=True)
    modality: Mapped[str]
    finding: Mapped[str]
    recipe: Mapped[str]
    name: Mapped[str]
    card: Mapped[dict[str, Any]]
    published_by: Mapped[str]
    published_at: Mapped[datetime] = _now()
    recalled_at: Mapped[datetime | None]
    recall_reason: Mapped[str | None]


class Deployment(Base):
    """The pointers of one modality and finding, for one tenant or for all; moved by compare-and-swap on generation.

    No `active_id`: the version that answered was recalled and nothing could take its place, so jobs wait.
    `prepare_id` is what workers load ahead of a move; it decides nothing, so setting it is no move.
    """

    __tablename__ = "deployments"
    __table_args__ = (UniqueConstraint("modality", "finding", "tenant_id", postgresql_nulls_not_distinct=True),)
    id: Mapped[UUID] = _id()
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
    changed_at: Mapped[datetime] = _now()


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
    at: Mapped[datetime] = _now()


class Proposal(Base):
    """A promotion that one person proposed, for another to approve: one at a time for each deployment."""

    __tablename__ = "proposals"
    __table_args__ = (
        Index("ix_proposals_open", "deployment_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
    id: Mapped[UUID] = _id()
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    generation: Mapped[int]
    person: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]
    override: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
    ended_at: Mapped[datetime | None]


# --- work -----------------------------------------------------------------------------------------------------------


class Study(Base):
    """What belongs together for one patient visit."""

    __tablename__ = "studies"
    __table_args__ = (UniqueConstraint("tenant_id", "external_id"),)
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    external_id: Mapped[str]
    subject_id: Mapped[str | None]
    dicom_study_uid: Mapped[str | None]
    created_at: Mapped[datetime] = _now()


class Batch(Base):
    """One bulk submission of many jobs, known by its sender's Idempotency-Key.

    `pinned` names the version id that answers for each modality: what was active when the batch was accepted.
    """

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("principal_id", "key"), Index("ix_batches_tenant_id_id", "tenant_id", "id"))
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    key: Mapped[str]
    client_ref: Mapped[str | None]
    pinned: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = _now()
    cancelled_at: Mapped[datetime | None]


class BatchError(Base):
    """An item of a batch that made no job, and why; it goes when the item is sent again and accepted."""

    __tablename__ = "batch_errors"
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    line: Mapped[int]
    code: Mapped[str]
    detail: Mapped[str]


class Worker(Base):
    """One worker process: alive while it writes `seen_at`. What its machine measures stands in `report`."""

    __tablename__ = "workers"
    id: Mapped[UUID] = _id()
    host: Mapped[str]
    pid: Mapped[int]
    modalities: Mapped[list[str]]
    report: Mapped[dict[str, Any]]
    started_at: Mapped[datetime] = _now()
    seen_at: Mapped[datetime] = _now()
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
    started_at: Mapped[datetime] = _now()
    ended_at: Mapped[datetime | None]


class Job(Base):
    """One request to classify one input with one version. The row is the truth; the queue is a hint.

    `claim_id` is the fence: a result is committed only while it is still the writer's own. `solo` rows lost a lease
    before and are claimed alone, so that a crash takes no neighbours down. `size_bytes` is the size of all its inputs,
    repeated here so that admission can add up what waits without a join. `item` names the job inside its batch;
    `ended_in` is the transaction that ended it, written by a trigger: with the snapshot's horizon it gives a cursor
    that no late commit slips behind.
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
        Index("ix_jobs_claim_id", "claim_id", postgresql_where=text("claim_id IS NOT NULL")),
        Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
        Index("ix_jobs_tenant_id_study_id", "tenant_id", "study_id", postgresql_where=text("study_id IS NOT NULL")),
        Index("uq_jobs_batch_id_item", "batch_id", "item", unique=True, postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_jobs_ended_in", "batch_id", "ended_in", "id", postgresql_where=text("ended_in IS NOT NULL")),
        Index("ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index("ix_jobs_version_id_id", "version_id", "id", postgresql_where=text("version_id IS NOT NULL")),
    )
    id: Mapped[UUID] = _id()
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
    created_at: Mapped[datetime] = _now()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    ended_in: Mapped[int | None]


class JobInput(Base):
    """A stored input of a job: one row today, several later. The blob's key is tenant and sha256."""

    __tablename__ = "job_inputs"
    __table_args__ = (UniqueConstraint("job_id", "position"), Index("ix_job_inputs_blob", "tenant_id", "sha256"))
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    position: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    media_type: Mapped[str]


class Result(Base):
    """The row a job ends with: what the version said and where it came from. What the card says is not repeated."""

    __tablename__ = "results"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"))
    claim_id: Mapped[int] = mapped_column(ForeignKey("claims.id"))
    input_sha256: Mapped[str]
    score: Mapped[float]
    distance: Mapped[float]
    probability: Mapped[float]
    decision: Mapped[str]
    quality: Mapped[list[dict[str, Any]]]
    reasons: Mapped[list[dict[str, Any]]]
    runtime: Mapped[dict[str, Any]]
    timings: Mapped[dict[str, Any]]
    header: Mapped[dict[str, Any] | None]  # what the file itself said; None from a worker that did not keep it
    reused_from: Mapped[UUID | None]  # the job whose computing this is
    created_at: Mapped[datetime] = _now()


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
    at: Mapped[datetime] = _now()


class IdempotencyKey(Base):
    """Remembers which job a key made, and for which request."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at", postgresql_using="brin"),)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    request_sha256: Mapped[str]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", deferrable=True, initially="DEFERRED"))
    created_at: Mapped[datetime] = _now()


class Rendition(Base):
    """A picture of a job's input for a page, made on demand by a worker after all jobs."""

    __tablename__ = "renditions"
    __table_args__ = (Index("ix_renditions_waiting", "requested_at", postgresql_where=text("state = 'waiting'")),)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    state: Mapped[str] = mapped_column(
        CheckConstraint("state IN ('waiting', 'made', 'failed')", name="state"), server_default=text("'waiting'")
    )
    sha256: Mapped[str | None]
    requested_at: Mapped[datetime] = _now()


# --- what others learn ----------------------------------------------------------------------------------------------


class Feedback(Base):
    """A clinician's verdict on a result: append-only, can be withdrawn."""

    __tablename__ = "feedback"
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), index=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    verdict: Mapped[str] = mapped_column(CheckConstraint("verdict IN ('agree', 'disagree', 'unsure')", name="verdict"))
    label: Mapped[str | None]
    basis: Mapped[str | None]
    comment: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
    withdrawn_at: Mapped[datetime | None]


class Webhook(Base):
    """An address of a hospital's system that is told what happened. `failures` in a row pause it, ever longer."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_tenant_id", "tenant_id", postgresql_where=text("removed_at IS NULL")),)
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    url: Mapped[str]
    events: Mapped[list[str]]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    paused_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()
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
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id"))
    event: Mapped[str]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id"))
    status: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    due_at: Mapped[datetime] = _now()
    answer: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
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
    at: Mapped[datetime] = _now()


# --- training -------------------------------------------------------------------------------------------------------


class TrainingRun(Base):
    """One request to train a recipe. As with jobs the row is the truth: `fence` grows with every claim.

    `dataset` is a name that a trainer knows a folder for; no path ever comes from a request. `figures` and `notes` are
    what was measured and what the gates remarked, whether or not a version was published.
    """

    __tablename__ = "training_runs"
    __table_args__ = (
        CheckConstraint(f"state IN ({_RUN_STATES})", name="state"),
        CheckConstraint("mode IN ('faithful', 'sound')", name="mode"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="leased"),
        Index("ix_training_runs_waiting", "id", postgresql_where=text("state = 'queued'")),
        Index("ix_training_runs_leased", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
        Index("ix_training_runs_tenant_id_id", "tenant_id", "id"),
    )
    id: Mapped[UUID] = _id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    recipe: Mapped[str]
    mode: Mapped[str]
    seed: Mapped[int]
    dataset: Mapped[str]
    name: Mapped[str]
    options: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    stage: Mapped[str | None]
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int] = mapped_column(server_default=text("0"))
    seconds_left: Mapped[float | None]
    figures: Mapped[dict[str, Any] | None]
    notes: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("versions.id"))
    code: Mapped[str | None]
    detail: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    worker_id: Mapped[UUID | None] = mapped_column(ForeignKey("workers.id"))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = _now()
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class TrainingPoint(Base):
    """One epoch of a run: what the source documents logged. `position` counts over all stages of the run."""

    __tablename__ = "training_points"
    run_id: Mapped[UUID] = mapped_column(ForeignKey("training_runs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    stage: Mapped[str]
    epoch: Mapped[int]
    loss: Mapped[float]
    accuracy: Mapped[float]
    tp: Mapped[int]
    fp: Mapped[int]
    tn: Mapped[int]
    fn: Mapped[int]
    seconds: Mapped[float]
    at: Mapped[datetime] = _now()
