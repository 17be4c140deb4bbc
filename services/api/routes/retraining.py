"""Training from verdicts: ask for it, set the rule that asks for it, follow it."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator

from services.api import cursor, replies, retraining
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.moves import Body, Reason
from services.api.paging import After, Limit, paged
from services.api.problems import request_id
from services.api.retraining import RetrainingView, Wanted, view
from shared.db.statements import audit
from shared.db.statements import retraining as statements
from shared.db.tables import Retraining, RetrainingRule, new_id
from shared.errors import NotFound
from shared.queue import TRAINING
from shared.schemas import Modality, RetrainingPlan

router = APIRouter(tags=["training"])


class RetrainingRequest(Body):
    """What to train from verdicts, and why."""

    modality: Modality
    plan: RetrainingPlan
    reason: Reason


class RuleRequest(Body):
    """When to train from verdicts by itself; at least one of the two causes."""

    plan: RetrainingPlan
    min_labels: int | None = Field(
        None, ge=1, le=100_000, description="So many new confirmed labels since the last retraining"
    )
    on_drift: bool = Field(False, description="An alert that was raised since the last retraining")
    enabled: bool = True

    @model_validator(mode="after")
    def _has_a_cause(self) -> "RuleRequest":
        if self.min_labels is None and not self.on_drift:
            raise ValueError("min_labels or on_drift is needed")
        return self


class RuleView(BaseModel):
    """A rule as it is now, and how near it is."""

    modality: Modality
    plan: RetrainingPlan
    min_labels: int | None
    on_drift: bool
    enabled: bool
    labels: int = Field(description="Confirmed labels since the last retraining: nobody contests them")
    set_by: str
    changed_at: datetime


class Rules(BaseModel):
    """Every rule of your hospital."""

    rules: list[RuleView]


class Retrainings(BaseModel):
    """Newest first; `next` is the cursor of what follows."""

    retrainings: list[RetrainingView]
    next: str | None


@router.post(
    "/v1/retrainings",
    status_code=202,
    response_model=RetrainingView,
    summary="Train from verdicts",
    responses=replies.errors(409, 422),
)
async def ask(request: Request, caller: Signed, body: RetrainingRequest) -> Response:
    """A trainer collects the data set, trains and publishes a candidate, which becomes the shadow if there is none."""
    gateway = of(request)
    async with gateway.begin() as session:
        await retraining.require(session, body.modality, body.plan)
        owner = (caller.tenant_id, caller.principal_id, body.modality, body.plan)
        begun = await retraining.begin(session, Wanted(*owner, "asked", body.reason, {}))
        await session.execute(audit.event(caller, "retraining.begin", "retraining", str(begun.id), request_id(request)))
    gateway.wake(TRAINING)
    shown = await _one(request, caller, begun.id)
    return replies.represented(request, shown, 202, {"Location": shown.links["self"]})


@router.get("/v1/retrainings", summary="Trainings from verdicts, newest first", responses=replies.errors(400, 422))
async def listed(
    request: Request,
    caller: Signed,
    limit: Limit = 50,
    after: After = None,
) -> Retrainings:
    """Each with its steps."""
    gateway, before = of(request), cursor.to_uuid(after)
    query = statements.visible(caller.tenant_id).limit(limit + 1)
    async with gateway.begin() as session:
        rows = (await session.execute(query if before is None else query.where(Retraining.id < before))).all()
    found, following = paged(rows, limit, lambda row: row[0].id)
    return Retrainings(retrainings=[view(*row, gateway.settings.base_url) for row in found], next=following)


@router.get("/v1/retrainings/{retraining_id}", summary="One training from verdicts", responses=replies.errors(404))
async def one(request: Request, caller: Signed, retraining_id: UUID) -> RetrainingView:
    """From its cause to a candidate in the shadow, step by step."""
    return await _one(request, caller, retraining_id)


@router.get("/v1/retraining-rules", summary="When your hospital's verdicts are trained on")
async def rules(request: Request, caller: Signed) -> Rules:
    """One rule at most for each kind of input."""
    return Rules(rules=await _rules(request, caller))


@router.put(
    "/v1/retraining-rules/{modality}",
    summary="Set when verdicts are trained on",
    responses=replies.errors(409, 422),
)
async def set_rule(request: Request, caller: Signed, modality: Modality, body: RuleRequest) -> RuleView:
    """Gateways look every THORACLE_RETRAINING_LOOK_S; one retraining of a kind of input is open at a time."""
    async with of(request).begin() as session:
        await retraining.require(session, modality, body.plan)
        values = {
            "id": new_id(),
            "tenant_id": caller.tenant_id,
            "modality": modality,
            "principal_id": caller.principal_id,
            "plan": body.plan.model_dump(mode="json"),
            **body.model_dump(include={"min_labels", "on_drift", "enabled"}),
        }
        await session.execute(statements.set_rule(values))
        await session.execute(audit.event(caller, "retraining.rule", "retraining_rule", modality, request_id(request)))
    return next(rule for rule in await _rules(request, caller) if rule.modality == modality)


async def _rules(request: Request, caller: Caller) -> list[RuleView]:
    async with of(request).begin() as session:
        found: list[RuleView] = []
        for rule, name in (await session.execute(statements.rules(caller.tenant_id))).all():
            plan = RetrainingPlan.model_validate(rule.plan)
            count = statements.confirmed(caller.tenant_id, rule.modality, plan.bases)
            found.append(_rule_view(rule, name, plan, (await session.execute(count)).scalar_one()))
    return found


def _rule_view(rule: RetrainingRule, set_by: str, plan: RetrainingPlan, labels: int) -> RuleView:
    return RuleView(
        modality=Modality(rule.modality),
        plan=plan,
        min_labels=rule.min_labels,
        on_drift=rule.on_drift,
        enabled=rule.enabled,
        labels=labels,
        set_by=set_by,
        changed_at=rule.changed_at,
    )


async def _one(request: Request, caller: Caller, retraining_id: UUID) -> RetrainingView:
    gateway = of(request)
    async with gateway.begin() as session:
        query = statements.visible(caller.tenant_id).where(Retraining.id == retraining_id)
        row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return view(*row, gateway.settings.base_url)
