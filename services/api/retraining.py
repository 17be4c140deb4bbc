"""Trains anew from verdicts: asked for, or when a rule says so; what was trained becomes the shadow."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import trainers
from services.api.run_views import RunSummary, run_summary
from services.api.views import version_ref
from shared.db.tables import Retraining, TrainingRun, Version, new_id
from shared.errors import Conflict, Unprocessable
from shared.schemas import Modality, RetrainingPlan, VersionRef
from shared.sentences import say

Cause = Literal["asked", "labels", "drift"]


@dataclass(frozen=True)
class Wanted:
    """One training from verdicts that somebody or a rule asks for."""

    tenant_id: UUID
    principal_id: UUID
    modality: Modality
    plan: RetrainingPlan
    cause: Cause
    reason: str
    evidence: dict[str, Any]


class Step(BaseModel):
    """One step of a retraining, in words; `at` is absent until it is done."""

    step: Literal["asked", "collected", "trained", "published", "shadowed"]
    at: datetime | None
    detail: str


class RetrainingView(BaseModel):
    """One training from verdicts. `outcome`: `shadowed`, `candidate` (another is the shadow), or how the run ended."""

    id: UUID
    modality: Modality
    cause: Cause
    reason: str
    evidence: dict[str, Any] = Field(description="How many labels or which alert it rests on")
    asked_by: str
    plan: RetrainingPlan
    counts: dict[str, Any] | None = Field(description="What the trainer collected")
    fingerprint: str | None = Field(description="Of the data set, as in the version's card")
    run: RunSummary
    version: VersionRef | None
    steps: list[Step]
    outcome: str | None
    created_at: datetime
    ended_at: datetime | None
    links: dict[str, str]


async def require(session: AsyncSession, modality: Modality, plan: RetrainingPlan) -> None:
    """Raise Unprocessable or Conflict when no trainer could do it."""
    recipe = await trainers.require(session, plan.recipe, plan.base)
    if recipe.modality != modality:
        raise Unprocessable("recipe_of_other_modality")


async def begin(session: AsyncSession, wanted: Wanted) -> Retraining:
    """Queue a run whose data set a trainer will collect. Raises Conflict: one is open for this modality."""
    retraining_id, plan = new_id(), wanted.plan
    short = retraining_id.hex[-8:]
    owner = {"tenant_id": wanted.tenant_id, "principal_id": wanted.principal_id}
    run = TrainingRun(
        id=new_id(),
        recipe=plan.recipe,
        mode=plan.mode,
        seed=plan.seed,
        dataset=f"{trainers.COLLECTED}{retraining_id.hex}",
        name=f"retrained-{short}",
        options=plan.model_dump(include={"epochs", "folds", "trust_labels"}, exclude_none=True),
        **owner,
    )
    retraining = Retraining(
        id=retraining_id,
        modality=wanted.modality,
        cause=wanted.cause,
        evidence=wanted.evidence,
        reason=wanted.reason,
        plan=plan.model_dump(mode="json"),
        run_id=run.id,
        **owner,
    )
    try:
        async with session.begin_nested():
            session.add(run)
            await session.flush()
            session.add(retraining)
            await session.flush()
    except IntegrityError:
        raise Conflict("retraining_open") from None
    await session.refresh(retraining)
    return retraining


def view(
    retraining: Retraining, run: TrainingRun, version: Version | None, asked_by: str, base_url: str
) -> RetrainingView:
    """One retraining as the API shows it."""
    links = {"self": f"{base_url}/v1/retrainings/{retraining.id}", "run": f"{base_url}/v1/training-runs/{run.id}"}
    if version is not None:
        links |= {
            "lineage": f"{base_url}/v1/versions/{version.sha256}/lineage",
            "gates": f"{base_url}/v1/deployments/{retraining.modality}/gates?version={version.sha256}",
            "shadow": f"{base_url}/v1/deployments/{retraining.modality}/shadow",
        }
    return RetrainingView(
        id=retraining.id,
        modality=Modality(retraining.modality),
        cause=retraining.cause,
        reason=retraining.reason,
        evidence=retraining.evidence,
        asked_by=asked_by,
        plan=RetrainingPlan.model_validate(retraining.plan),
        counts=retraining.counts,
        fingerprint=retraining.fingerprint,
        run=run_summary(run, version, base_url),
        version=version_ref(version) if version is not None else None,
        steps=_steps(retraining, run, version),
        outcome=retraining.outcome,
        created_at=retraining.created_at,
        ended_at=retraining.ended_at,
        links=links,
    )


def _steps(retraining: Retraining, run: TrainingRun, version: Version | None) -> list[Step]:
    counts = retraining.counts or {}
    shadowed = retraining.outcome == "shadowed"
    return [
        Step(step="asked", at=retraining.created_at, detail=retraining.reason),
        Step(step="collected", at=retraining.collected_at, detail=_collected(counts)),
        Step(step="trained", at=run.finished_at, detail=say(f"run.{run.state}")),
        Step(step="published", at=version.published_at if version else None, detail=_published(version)),
        Step(
            step="shadowed",
            at=retraining.ended_at if shadowed else None,
            detail=say(f"retraining.{retraining.outcome or 'not_shadowed_yet'}"),
        ),
    ]


def _collected(counts: dict[str, Any]) -> str:
    if not counts:
        return say("retraining.not_collected")
    return say("retraining.collected", **{name: counts[name] for name in ("trained", "held_out", "base")})


def _published(version: Version | None) -> str:
    return say("retraining.not_published") if version is None else f"{version.recipe} {version.name}"
