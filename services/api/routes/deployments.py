"""Pointers: look, promote, roll back. A move names the generation it was decided on, and why."""

import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, replies
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.pointers import DeploymentView, deployment_view
from services.api.problems import request_id
from services.api.views import version_ref
from shared import deployments
from shared.db.statements import audit, versions
from shared.deployments import Why
from shared.errors import Conflict, NotFound, ThoracleError, Unprocessable
from shared.faults import fault
from shared.schemas import Modality, VersionRef

router = APIRouter(tags=["deployments"])

_PLAIN = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500, pattern=_PLAIN)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128, pattern=_PLAIN)]
IfMatch = Annotated[str | None, Header(description='The generation that you looked at, as in `"3"`')]


class Body(BaseModel):
    """Base of the requests here: a field nobody knows is an error."""

    model_config = ConfigDict(extra="forbid")


class Promotion(Body):
    """Which version shall answer, and why."""

    version: Name = Field(description="sha256 or name")
    reason: Reason


class Rollback(Body):
    """Why the version before shall answer again."""

    reason: Reason


class Deployments(BaseModel):
    """Every pointer."""

    deployments: list[DeploymentView]


class Move(BaseModel):
    """One move of a pointer."""

    generation: int
    action: str
    before: VersionRef | None
    after: VersionRef | None
    actor: str
    reason: str
    evidence: dict[str, Any] = Field(description="What the move rested on")
    at: datetime


class History(BaseModel):
    """Moves, newest first."""

    moves: list[Move]
    next: str | None


class Missing(ThoracleError):
    """A change that does not say what it was decided on."""

    code, status = "precondition_required", 428


class Stale(ThoracleError):
    """Somebody else was faster."""

    code, status = "generation_stale", 412


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
        view = await _read(session, caller, modality)
    return _answer(view)


@router.put(
    "/v1/deployments/{modality}",
    response_model=DeploymentView,
    summary="Promote a version",
    responses=replies.errors(404, 409, 412, 422, 428),
)
async def promote(
    request: Request, caller: Signed, modality: Modality, body: Promotion, if_match: IfMatch = None
) -> Response:
    """Compare and swap: only if nobody moved the pointer since the generation in If-Match."""
    generation = _generation(if_match)
    if generation is None:
        raise Missing
    async with of(request).begin() as session:
        version = await session.scalar(versions.named(modality, body.version))
        if version is None:
            raise Unprocessable("version_unknown")
        try:
            await session.run_sync(
                lambda sync: deployments.promote(sync, version, generation, Why(actor(caller), body.reason))
            )
        except Conflict as conflict:
            raise _stale(conflict) from conflict
        view = await _moved(session, caller, modality, "deployment.promote", request)
    fault("promote.committed")
    return _answer(view)


@router.post(
    "/v1/deployments/{modality}/rollback",
    response_model=DeploymentView,
    summary="Let the previous version answer again",
    responses=replies.errors(404, 409, 412, 422),
)
async def roll_back(
    request: Request, caller: Signed, modality: Modality, body: Rollback, if_match: IfMatch = None
) -> Response:
    """Without If-Match it rolls back whatever is active now: in an emergency nobody looks up a number first."""
    generation = _generation(if_match)
    async with of(request).begin() as session:
        try:
            await session.run_sync(
                lambda sync: deployments.rollback(sync, modality, Why(actor(caller), body.reason), generation)
            )
        except Conflict as conflict:
            raise _stale(conflict) from conflict
        view = await _moved(session, caller, modality, "deployment.rollback", request)
    fault("promote.committed")
    return _answer(view)


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
) -> History:
    """Append-only: written in the transaction that moved the pointer."""
    statement = versions.history(caller.tenant_id, modality, cursor.to_int(after), limit + 1)
    async with of(request).begin() as session:
        rows = (await session.execute(statement)).all()
    moves = [
        Move(
            generation=event.generation,
            action=event.action,
            before=version_ref(earlier) if earlier is not None else None,
            after=version_ref(later) if later is not None else None,
            actor=event.actor,
            reason=event.reason,
            evidence=event.evidence,
            at=event.at,
        )
        for event, earlier, later in rows[:limit]
    ]
    return History(moves=moves, next=cursor.encode(rows[limit - 1][0].id) if len(rows) > limit else None)


async def _moved(
    session: AsyncSession, caller: Caller, modality: Modality, action: str, request: Request
) -> DeploymentView:
    await session.execute(audit.event(caller, action, "deployment", modality, request_id(request)))
    return await _read(session, caller, modality)


async def _read(session: AsyncSession, caller: Caller, modality: Modality) -> DeploymentView:
    row = (await session.execute(versions.deployments(caller.tenant_id, modality))).first()
    if row is None:
        raise NotFound("no_version")
    return deployment_view(tuple(row))


def _answer(view: DeploymentView) -> Response:
    headers = {"ETag": f'"{view.generation}"', "Cache-Control": "private, no-cache"}
    return Response(view.model_dump_json(), headers=headers, media_type="application/json")


def _generation(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    found = re.fullmatch(r'\s*(?:W/)?"?(\d{1,15})"?\s*', if_match)
    if found is None:
        raise Stale
    return int(found[1])


def _stale(conflict: Conflict) -> ThoracleError:
    return Stale() if conflict.code == "generation_stale" else conflict


def actor(caller: Caller) -> str:
    """A caller's name in the history."""
    return f"{caller.tenant}/{caller.name}"
