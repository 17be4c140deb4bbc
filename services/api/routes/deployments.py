"""Pointers: look, prepare, promote, roll back. A move names the generation it was decided on, and why."""

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, moves, replies
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.moves import Body, IfMatch, Name, Reason
from services.api.past import standing
from services.api.pointers import DeploymentView, deployment_view
from services.api.prefer import Wait
from services.api.preparation import NotPrepared, Preparation, preparation
from services.api.preparation import prepare as prepare_
from services.api.promotion import Promotion
from services.api.proposals import ProposalView
from services.api.views import version_ref
from shared import deployments
from shared.db.statements import versions
from shared.db.tables import DeploymentEvent, Version
from shared.deployments import Why
from shared.errors import Conflict, NotFound
from shared.faults import fault
from shared.schemas import Modality, VersionRef

router = APIRouter(tags=["deployments"])

_REFUSED = replies.errors(404, 409, 412, 422, 428)
_POINTED = ("active", "canary", "shadow")
_LOOK_S = 0.1  # between two looks at whether workers are ready


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


class Move(BaseModel):
    """One move of a pointer: `before` and `after` are the versions that `action` moved between."""

    generation: int
    action: str
    before: VersionRef | None
    after: VersionRef | None
    actor: str
    reason: str
    evidence: dict[str, Any] = Field(description="What the move rested on")
    at: datetime


class Then(BaseModel):
    """What answered at a moment of the past; nothing before the first move. `by` let the active version answer."""

    at: datetime
    active: VersionRef | None
    canary: VersionRef | None
    canary_share: float
    shadow: VersionRef | None
    generation: int
    by: Move | None


class History(BaseModel):
    """Moves, newest first."""

    moves: list[Move]
    next: str | None
    then: Then | None = Field(None, description="With `at`: which version answered then, and who let it")


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
    generation, until = moves.required(if_match), time.monotonic() + wait
    wanted = Promotion(request, caller, modality, body.version, body.reason, body.override, generation)
    while True:
        try:
            done = await wanted.commit()
            break
        except NotPrepared:
            await prepare_(request, caller, modality, body.version)
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(_LOOK_S)
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


@router.get(
    "/v1/deployments/{modality}/history",
    summary="Every move of a pointer, newest first",
    responses=replies.errors(400, 404, 422),
)
async def history(
    request: Request,
    caller: Signed,
    modality: Modality,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(alias="cursor", max_length=64)] = None,
    at: Annotated[AwareDatetime | None, Query(description="Only what had happened by then")] = None,
) -> History:
    """Append-only: written in the transaction that moved the pointer."""
    statement = versions.history(caller.tenant_id, modality, cursor.to_int(after), limit + 1, at)
    async with of(request).begin() as session:
        rows = (await session.execute(statement)).all()
        then = await _then(session, caller, modality, at) if at is not None else None
    found = [_move(*row) for row in rows[:limit]]
    return History(moves=found, next=cursor.encode(rows[limit - 1][0].id) if len(rows) > limit else None, then=then)


def _move(event: DeploymentEvent, earlier: Version | None, later: Version | None) -> Move:
    return Move(
        generation=event.generation,
        action=event.action,
        before=version_ref(earlier) if earlier is not None else None,
        after=version_ref(later) if later is not None else None,
        actor=event.actor,
        reason=event.reason,
        evidence=event.evidence,
        at=event.at,
    )


async def _then(session: AsyncSession, caller: Caller, modality: Modality, at: datetime) -> Then:
    """The pointers as they were; a hospital's own deployment goes before everybody's. Raises NotFound."""
    row = (await session.execute(versions.deployments(caller.tenant_id, modality))).first()
    if row is None:
        raise NotFound("no_version")
    past = standing(await session.scalars(versions.moves(row[0].id, at)))
    ids = [past.active, past.canary, past.shadow, past.by.from_id if past.by else None]
    rows = await session.scalars(versions.among([found for found in ids if found]))
    known: dict[UUID | None, Version] = {row.id: row for row in rows}
    refs = [version_ref(known[found]) if found else None for found in ids[:3]]
    by = _move(past.by, known.get(past.by.from_id), known.get(past.by.to_id)) if past.by else None
    pointed = dict(zip(_POINTED, refs, strict=True))
    return Then(at=at, canary_share=past.share, generation=past.generation, by=by, **pointed)


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
