"""Every table. Tenant on every row that holds or points to patient data; public ids are UUIDv7; times carry a zone."""

from shared.db.tables.base import Base, new_id
from shared.db.tables.batches import Batch, BatchError
from shared.db.tables.comparisons import Comparison, ComparisonInput
from shared.db.tables.drift import DriftAlert, Reference, Rollup, Watermark
from shared.db.tables.explanations import ResultExplanation
from shared.db.tables.jobs import PRIORITY_RANK, IdempotencyKey, Job, JobEvent, JobInput, Study
from shared.db.tables.judging import REASON_RANK, Adjudication, Feedback
from shared.db.tables.order import TransactionCount
from shared.db.tables.people import Credential, Principal, Tenant
from shared.db.tables.results import Rendition, Result
from shared.db.tables.retraining import Retraining, RetrainingLabel, RetrainingRule
from shared.db.tables.telling import AuditEvent, Delivery, Webhook
from shared.db.tables.training import TrainingPoint, TrainingRun
from shared.db.tables.trials import ShadowResult
from shared.db.tables.versions import Deployment, DeploymentEvent, Proposal, Version
from shared.db.tables.workers import Claim, Worker

__all__ = [
    "PRIORITY_RANK",
    "REASON_RANK",
    "Adjudication",
    "AuditEvent",
    "Base",
    "Batch",
    "BatchError",
    "Claim",
    "Comparison",
    "ComparisonInput",
    "Credential",
    "Delivery",
    "Deployment",
    "DeploymentEvent",
    "DriftAlert",
    "Feedback",
    "IdempotencyKey",
    "Job",
    "JobEvent",
    "JobInput",
    "Principal",
    "Proposal",
    "Reference",
    "Rendition",
    "Result",
    "ResultExplanation",
    "Retraining",
    "RetrainingLabel",
    "RetrainingRule",
    "Rollup",
    "ShadowResult",
    "Study",
    "Tenant",
    "TrainingPoint",
    "TrainingRun",
    "TransactionCount",
    "Version",
    "Watermark",
    "Webhook",
    "Worker",
    "new_id",
]
