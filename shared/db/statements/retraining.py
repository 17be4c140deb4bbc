"""Retrainings: rules, what makes one due, what a trainer collects, how one ends. A person's question is scoped."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, TextClause, Update, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.db.statements.judged import VERDICTS
from shared.db.tables import (
    DriftAlert,
    Principal,
    Retraining,
    RetrainingLabel,
    RetrainingRule,
    TrainingRun,
    Version,
)

_ID = PG_UUID(as_uuid=True)

# A label is confirmed once nobody contests it: no second reading of its result is open.
_CONFIRMED = text(
    f"""
    SELECT count(DISTINCT i.sha256) AS labels
    FROM ({VERDICTS}) said
    JOIN jobs j ON j.id = said.job_id
    JOIN job_inputs i ON i.job_id = j.id AND i.position = 0
    WHERE said.tenant_id = :tenant AND j.tenant_id = :tenant AND j.modality = :modality
      AND said.label IS NOT NULL AND said.basis = ANY (:bases)
      AND said.given_at > COALESCE((SELECT max(created_at) FROM retrainings
                                    WHERE tenant_id = :tenant AND modality = :modality), '-infinity')
      AND NOT EXISTS (SELECT FROM adjudications a WHERE a.job_id = j.id AND a.state = 'open')
    """  # noqa: S608 - a constant
).bindparams(bindparam("tenant", type_=_ID))

_OPEN_READINGS = text("SELECT job_id FROM adjudications WHERE state = 'open' AND job_id = ANY (:jobs)").bindparams(
    bindparam("jobs", type_=ARRAY(_ID))
)

_LABELS = text(
    """
    SELECT l.job_id, l.label, l.basis, l.adjudicated, l.held_out,
           ARRAY(SELECT f.id FROM feedback f WHERE f.job_id = l.job_id AND f.created_at <= t.collected_at
                 ORDER BY f.created_at) AS feedback,
           (SELECT min(f.created_at) FROM feedback f WHERE f.job_id = l.job_id) AS first_at,
           v.name AS answered_by
    FROM retraining_labels l JOIN retrainings t ON t.id = l.retraining_id
    JOIN results r ON r.job_id = l.job_id JOIN versions v ON v.id = r.version_id
    WHERE l.retraining_id = :retraining ORDER BY first_at NULLS LAST, l.job_id
    """
).bindparams(bindparam("retraining", type_=_ID))


def confirmed(tenant: UUID, modality: str, bases: Sequence[str]) -> TextClause:
    """How many inputs of a tenant got a label since its last retraining that nobody contests."""
    return _CONFIRMED.bindparams(tenant=tenant, modality=modality, bases=list(bases))


def contested(jobs: Sequence[UUID]) -> TextClause:
    """Which of these jobs have a second reading open."""
    return _OPEN_READINGS.bindparams(jobs=list(jobs))


def alert_since(tenant: UUID, modality: str) -> Select[UUID]:
    """The first alert of a modality that was raised since its last retraining and is open."""
    last = select(func.max(Retraining.created_at)).where(
        Retraining.tenant_id == tenant, Retraining.modality == modality
    )
    return (
        select(DriftAlert.id)
        .where(DriftAlert.tenant_id == tenant, DriftAlert.modality == modality, DriftAlert.cleared_at.is_(None))
        .where(DriftAlert.raised_at > func.coalesce(last.scalar_subquery(), text("'-infinity'::timestamptz")))
        .order_by(DriftAlert.raised_at)
        .limit(1)
    )


def set_rule(values: dict[str, Any]) -> Insert:
    """Set a tenant's rule of a modality."""
    statement = insert(RetrainingRule).values(values)
    changed = {name: value for name, value in values.items() if name not in ("id", "tenant_id", "modality")}
    return statement.on_conflict_do_update(
        index_elements=["tenant_id", "modality"], set_={**changed, "changed_at": func.now()}
    )


def rules(tenant: UUID) -> Select[RetrainingRule, str]:
    """A tenant's rules, and who set each."""
    return (
        select(RetrainingRule, Principal.name)
        .join(Principal, Principal.id == RetrainingRule.principal_id)
        .where(RetrainingRule.tenant_id == tenant)
        .order_by(RetrainingRule.modality)
    )


def due() -> Select[RetrainingRule]:
    """Rules of all tenants that are on and have no retraining open."""
    is_open = select(Retraining.id).where(
        Retraining.tenant_id == RetrainingRule.tenant_id,
        Retraining.modality == RetrainingRule.modality,
        Retraining.ended_at.is_(None),
    )
    return select(RetrainingRule).where(RetrainingRule.enabled, ~is_open.exists())


def visible(tenant: UUID) -> Select[Retraining, TrainingRun, Version, str]:
    """A tenant's retrainings with their runs, versions and who is behind them, newest first."""
    return _with_run().where(Retraining.tenant_id == tenant).order_by(Retraining.id.desc())


def of_version(version: UUID) -> Select[Retraining, TrainingRun, Version, str]:
    """The retraining that made a version."""
    return _with_run().where(TrainingRun.version_id == version)


def run_of(version: UUID) -> Select[TrainingRun, str]:
    """The training run that made a version, and who started it."""
    return (
        select(TrainingRun, Principal.name)
        .join(Principal, Principal.id == TrainingRun.principal_id)
        .where(TrainingRun.version_id == version)
    )


def labels(retraining: UUID) -> TextClause:
    """What went into a retraining, with the verdicts behind each label; the earliest click first."""
    return _LABELS.bindparams(retraining=retraining)


def trained() -> Select[Retraining, TrainingRun, Version]:
    """Open retrainings of all tenants whose run has ended."""
    ended = ("succeeded", "failed", "cancelled", "dead")
    return (
        select(Retraining, TrainingRun, Version)
        .join(TrainingRun, TrainingRun.id == Retraining.run_id)
        .outerjoin(Version, Version.id == TrainingRun.version_id)
        .where(Retraining.ended_at.is_(None), TrainingRun.state.in_(ended))
    )


def end(retraining: UUID, outcome: str) -> Update:
    """End one; no row when somebody else did."""
    still = update(Retraining).where(Retraining.id == retraining, Retraining.ended_at.is_(None))
    values = still.values(outcome=outcome, ended_at=func.now()).returning(Retraining.id)
    return values.execution_options(synchronize_session=False)


def to_collect(bases: Sequence[str]) -> Select[Retraining, TrainingRun]:
    """The oldest whose data set is not made yet and whose base set is among these."""
    here = Retraining.plan["base"].astext.in_(bases) | (Retraining.plan["base"].astext.is_(None))
    return (
        select(Retraining, TrainingRun)
        .join(TrainingRun, TrainingRun.id == Retraining.run_id)
        .where(Retraining.collected_at.is_(None), Retraining.ended_at.is_(None), TrainingRun.state == "queued", here)
        .order_by(Retraining.id)
        .limit(1)
    )


def collected(retraining: UUID, fingerprint: str, counts: dict[str, Any]) -> Update:
    """Its data set is made; no row when another trainer made it."""
    one = update(Retraining).where(Retraining.id == retraining, Retraining.collected_at.is_(None))
    values = one.values(fingerprint=fingerprint, counts=counts, collected_at=func.now()).returning(Retraining.id)
    return values.execution_options(synchronize_session=False)


def keep(rows: Sequence[dict[str, Any]]) -> Insert:
    """What went into it."""
    return insert(RetrainingLabel).values(rows)


def _with_run() -> Select[*tuple[Any, ...]]:
    return (
        select(Retraining, TrainingRun, Version, Principal.name)
        .join(TrainingRun, TrainingRun.id == Retraining.run_id)
        .join(Principal, Principal.id == Retraining.principal_id)
        .outerjoin(Version, Version.id == TrainingRun.version_id)
    )
