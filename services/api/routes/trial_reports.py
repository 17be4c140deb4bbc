"""How versions that are tried out do: a shadow's agreement with the active version, a canary's figures beside it."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import moves, replies, shadows
from services.api.auth import Caller, Signed
from services.api.canaries import Comparison, comparison
from services.api.gateway import of
from services.api.shadows import ShadowReport
from shared.db.tables import Version
from shared.errors import NotFound
from shared.schemas import Modality, VersionRef

router = APIRouter(tags=["deployments"])


class CanaryReport(BaseModel):
    """A canary, its share of the studies, and how it does beside the active version."""

    canary: VersionRef
    active: VersionRef | None
    share: float = Field(description="Of the studies")
    comparison: Comparison


@router.get(
    "/v1/deployments/{modality}/shadow",
    summary="What the shadow would have answered",
    responses=replies.errors(404),
)
async def shadow(request: Request, caller: Signed, modality: Modality) -> ShadowReport:
    """Agreement, Cohen's kappa, flips and differences on inputs that the active version answered since it was set."""
    async with of(request).begin() as session:
        tried, active = await _tried(session, caller, modality)
        return await shadows.report(session, tried, active)


@router.get(
    "/v1/deployments/{modality}/canary",
    summary="How the canary does beside the active version",
    responses=replies.errors(404),
)
async def canary(request: Request, caller: Signed, modality: Modality) -> CanaryReport:
    """Over the same time. What `trouble` names ends it at the gateway's next look."""
    gateway = of(request)
    async with gateway.begin() as session:
        pointers = await moves.read(session, caller, modality)
        found = await comparison(session, gateway.settings, modality)
    if found is None or pointers.canary is None:
        raise NotFound("no_canary")
    return CanaryReport(canary=pointers.canary, active=pointers.active, share=pointers.canary_share, comparison=found)


async def _tried(session: AsyncSession, caller: Caller, modality: Modality) -> tuple[Version, Version]:
    pointers = await moves.read(session, caller, modality)
    if pointers.shadow is None or pointers.active is None:
        raise NotFound("no_shadow")
    named = [await moves.named(session, modality, one.sha256) for one in (pointers.shadow, pointers.active)]
    return named[0], named[1]
