"""Versions that are tried out: a canary answers a share of the studies, a shadow computes and answers nobody."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.api import moves, replies
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.moves import Body, IfMatch, Name, Reason
from services.api.pointers import DeploymentView
from services.api.prefer import Wait
from services.api.preparation import preparation, when_ready
from shared import deployments
from shared.deployments import Why
from shared.errors import Conflict
from shared.schemas import Modality

router = APIRouter(tags=["deployments"])

LARGEST_SHARE = 0.5  # more would be a promotion without its gates
_REFUSED = replies.errors(404, 409, 412, 422, 428)

Pointer = Literal["canary", "shadow"]
Why_ = Annotated[Reason, Query(description="Why; kept in the history")]


class Shadow(Body):
    """Which version to compute beside the active one, and why."""

    version: Name = Field(description="sha256 or name")
    reason: Reason


class Canary(Shadow):
    """Which version answers a share of the studies, and why."""

    share: float = Field(gt=0, le=LARGEST_SHARE, description="Of the studies; all jobs of one study go the same way")


@router.put(
    "/v1/deployments/{modality}/canary",
    response_model=DeploymentView,
    summary="Let a version answer a share of the studies",
    responses=_REFUSED,
)
async def canary(
    request: Request, caller: Signed, modality: Modality, body: Canary, wait: Wait, if_match: IfMatch = None
) -> Response:
    """Sticky by study, else by subject. Batches and jobs that name a version are not touched.

    As for a promotion, every live worker has it ready first. Gates do not hold it: a canary is how evidence is found.
    """
    return await _tried(request, caller, modality, body, body.share, wait, if_match)


@router.put(
    "/v1/deployments/{modality}/shadow",
    response_model=DeploymentView,
    summary="Let a version compute what the active one has answered",
    responses=_REFUSED,
)
async def shadow(
    request: Request, caller: Signed, modality: Modality, body: Shadow, wait: Wait, if_match: IfMatch = None
) -> Response:
    """Workers load and prove it, and run it over answered inputs while nothing waits. It answers nobody."""
    return await _tried(request, caller, modality, body, None, wait, if_match)


@router.delete(
    "/v1/deployments/{modality}/canary",
    response_model=DeploymentView,
    summary="End the canary",
    responses=_REFUSED,
)
async def end_canary(
    request: Request, caller: Signed, modality: Modality, reason: Why_, if_match: IfMatch = None
) -> Response:
    """The active version answers every study again; what the canary answered keeps its version."""
    return await _ended(request, caller, modality, "canary", reason, moves.required(if_match))


@router.delete(
    "/v1/deployments/{modality}/shadow",
    response_model=DeploymentView,
    summary="End the shadow",
    responses=_REFUSED,
)
async def end_shadow(
    request: Request, caller: Signed, modality: Modality, reason: Why_, if_match: IfMatch = None
) -> Response:
    """Nothing is kept loaded for it any more."""
    return await _ended(request, caller, modality, "shadow", reason, moves.required(if_match))


async def _tried(
    request: Request,
    caller: Caller,
    modality: Modality,
    body: Shadow,
    share: float | None,
    wait: int,
    if_match: str | None,
) -> Response:
    act = partial(_set, request, caller, modality, body, share, moves.required(if_match))
    return moves.answer(await when_ready(request, caller, modality, body.version, wait, act))


async def _set(
    request: Request, caller: Caller, modality: Modality, body: Shadow, share: float | None, generation: int
) -> DeploymentView:
    gateway = of(request)
    pointer: Pointer = "shadow" if share is None else "canary"
    async with gateway.begin() as session:
        version = await moves.named(session, modality, body.version)
        proof = await preparation(session, gateway.settings, modality, version)
        shares = {} if share is None else {"share": share}
        why = Why(moves.actor(caller), body.reason, {**proof.evidence, **shares})
        try:
            await session.run_sync(
                lambda sync: deployments.try_out(sync, version, pointer, share or 0.0, generation, why)
            )
        except Conflict as conflict:
            raise moves.as_precondition(conflict) from conflict
        proof.require()
        return await moves.moved(session, caller, modality, f"deployment.{pointer}", request)


async def _ended(
    request: Request, caller: Caller, modality: Modality, pointer: Pointer, reason: str, generation: int
) -> Response:
    why = Why(moves.actor(caller), reason)
    async with of(request).begin() as session:
        try:
            await session.run_sync(lambda sync: deployments.stop_trying(sync, modality, pointer, generation, why))
        except Conflict as conflict:
            raise moves.as_precondition(conflict) from conflict
        view = await moves.moved(session, caller, modality, f"deployment.{pointer}_end", request)
    return moves.answer(view)
