"""Pointers: look, prepare, promote, roll back. A move names the generation it was decided on, and why."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from services.api import moves, replies
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.moves import Body, IfMatch, Name, Reason
from services.api.pointers import DeploymentView, deployment_view
from services.api.prefer import Wait
from services.api.preparation import Preparation, preparation, when_ready
from services.api.preparation import prepare as prepare_
from services.api.promotion import Promotion
from services.api.proposals import ProposalView
from shared import deployments
from shared.db.statements import versions
from shared.deployments import Why
from shared.errors import Conflict, NotFound
from shared.faults import fault
from shared.schemas import Modality

router = APIRouter(tags=["deployments"])

_REFUSED = replies.errors(404, 409, 412, 422, 428)


class Wanted(Body):
    """Which version shall answer, and why. `override`: why it shall although some gates do not pass."""

    version: Name = Field(description="sha256 or name")
    reason: Reason
    override: Reason | None = Field(None, description="For a person's key only; kept in the history with the gates")


class Candidate(Body):
    """Which version workers shall load ahead of a move."""

    version: Name = Field(description="sha256 or name")


class Rollback(Body):
    """Why the version before shall answer again."""

    reason: Reason


class Deployments(BaseModel):
    """Every pointer."""

    deployments: list[DeploymentView]


@router.get("/v1/deployments", summary="Which versions answer")
async def listed(request: Request, caller: Signed) -> Deployments:
    """One line per modality."""
    async with of(request).begin() as session:
        rows = [tuple(row) for row in await session.execute(versions.deployments(caller.tenant_id))]
    return Deployments(deployments=[deployment_view(row) for row in rows])


@router.get(
    "/v1/deployments/{modality}",
    response_model=DeploymentView,
    summary="Which version answers for a modality",
    responses=replies.errors(404),
)
async def one(request: Request, caller: Signed, modality: Modality) -> Response:
    """Its ETag is the generation, for If-Match."""
    async with of(request).begin() as session:
        view = await moves.read(session, caller, modality)
    return moves.answer(view)


@router.post(
    "/v1/deployments/{modality}/prepare",
    status_code=202,
    summary="Let workers load a version ahead of a move",
    responses=replies.errors(404, 409, 422),
)
async def prepare(request: Request, caller: Signed, modality: Modality, body: Candidate) -> Preparation:
    """Changes nothing that answers. Ask with GET until it is `ready`."""
    await prepare_(request, caller, modality, body.version)
    return await prepared(request, caller, modality, body.version)


@router.get(
    "/v1/deployments/{modality}/prepare",
    summary="Who has a version loaded and proven",
    responses=replies.errors(404, 422),
)
async def prepared(
    request: Request,
    caller: Signed,
    modality: Modality,
    version: Annotated[Name | None, Query(description="sha256 or name; else the one that is being prepared")] = None,
) -> Preparation:
    """The workers that serve the modality; a trainer where there are none."""
    gateway = of(request)
    async with gateway.begin() as session:
        being = (await moves.read(session, caller, modality)).preparing
        name = version or (being.sha256 if being else None)
        if name is None:
            raise NotFound("nothing_prepared")
        candidate = await moves.named(session, modality, name)
        return await preparation(session, gateway.settings, modality, candidate)


@router.put(
    "/v1/deployments/{modality}",
    response_model=DeploymentView,
    summary="Promote a version",
    responses={202: {"model": ProposalView, "description": "A second person has to approve"}, **_REFUSED},
)
async def promote(
    request: Request, caller: Signed, modality: Modality, body: Wanted, wait: Wait, if_match: IfMatch = None
) -> Response:
    """Compare and swap: only if nobody moved the pointer since the generation in If-Match.

    Only when every live worker that serves the modality has the version loaded, verified, proven and warm: else they
    are told to, and the answer is 409 `not_prepared` (with `Prefer: wait=20` not before so many seconds). Only when
    every gate passes, or a person overrides those that do not: else 409 `gates_not_passed`.
    """
    generation = moves.required(if_match)
    wanted = Promotion(request, caller, modality, body.version, body.reason, body.override, generation)
    done = await when_ready(request, caller, modality, body.version, wait, wanted.commit)
    if isinstance(done, ProposalView):
        return Response(done.model_dump_json(), 202, media_type="application/json")
    fault("promote.committed")
    return moves.answer(done)


@router.post(
    "/v1/deployments/{modality}/rollback",
    response_model=DeploymentView,
    summary="Let the previous version answer again",
    responses=replies.errors(404, 409, 412, 422),
)
async def roll_back(
    request: Request, caller: Signed, modality: Modality, body: Rollback, if_match: IfMatch = None
) -> Response:
    """Without If-Match it rolls back whatever is active now: in an emergency nobody looks up a number first.

    Nobody is waited for: workers keep the previous version warm, and one that does not loads it at its next claim.
    """
    generation = moves.generation_of(if_match)
    while True:
        try:
            view = await _rolled_back(request, caller, modality, body, generation)
            break
        except moves.Stale:
            if generation is not None:
                raise
    fault("promote.committed")
    return moves.answer(view)


async def _rolled_back(
    request: Request, caller: Caller, modality: Modality, body: Rollback, generation: int | None
) -> DeploymentView:
    gateway, evidence = of(request), {}
    async with gateway.begin() as session:
        now = await moves.read(session, caller, modality)
        if now.previous is not None:
            previous = await moves.named(session, modality, now.previous.sha256)
            proof = await preparation(session, gateway.settings, modality, previous)
            proof.require_nobody_refuses()
            evidence = proof.evidence
        why, expected = Why(moves.actor(caller), body.reason, evidence), generation or now.generation
        try:
            await session.run_sync(lambda sync: deployments.rollback(sync, modality, why, expected))
        except Conflict as conflict:
            raise moves.as_precondition(conflict) from conflict
        return await moves.moved(session, caller, modality, "deployment.rollback", request)
