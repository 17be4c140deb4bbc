"""Pages of the pointers: who answers, who did, and every move with its consequence before the click."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, ValidationError

from services.api import moves
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.routes import approvals, deployments, history, models, recalls, trial_reports, trials
from services.api.web.consequences import Action, consequence
from services.api.web.forms import field_of, tried
from services.api.web.reader import Reader
from services.api.web.render import page
from shared.errors import Conflict, NotFound, ThoracleError
from shared.schemas import Modality
from shared.sentences import say

router = APIRouter(include_in_schema=False)

_Report = TypeVar("_Report")
_WAIT_S = 10  # for workers to load a version, before the page says that they still do
_HISTORY = 50
_SHARE = 0.1


class Asked(BaseModel):
    """The confirmation's form. `generation` is what the page showed: the If-Match of the move."""

    version: str = Field("", max_length=128)
    reason: str = Field("", max_length=2000)
    override: str = Field("", max_length=2000)
    share: float = _SHARE
    generation: int = 0
    proposal: UUID | None = None


Filled = Annotated[Asked, Form()]


@router.get("/admin/deployments")
async def overview(request: Request, caller: Signed) -> Response:
    """One card for each kind of input."""
    listed = await deployments.listed(request, caller)
    return page("admin/deployments.html", reader=Reader.of(caller), deployments=listed.deployments)


@router.get("/admin/deployments/{modality}")
async def one(
    request: Request, caller: Signed, modality: Modality, at: str = "", cursor: str | None = None, done: str = ""
) -> Response:
    """Who answers now, what could, what waits for a second person, and every move so far."""
    async with of(request).begin() as session:
        view = await moves.read(session, caller, modality)
    moment, problem = _moment(at)
    past = await history.history(request, caller, modality, _HISTORY, cursor, moment)
    return page(
        "admin/deployment.html",
        reader=Reader.of(caller),
        deployment=view,
        versions=(await models.of_modality(request, caller, modality)).versions,
        proposals=(await approvals.waiting(request, caller, modality)).proposals,
        history=past,
        canary=await _report(trial_reports.canary(request, caller, modality)) if view.canary else None,
        shadow=await _report(trial_reports.shadow(request, caller, modality)) if view.shadow and view.active else None,
        at=at,
        problem=problem,
        done=done if done in set(Action) | {"proposed"} else None,
    )


@router.get("/admin/deployments/{modality}/{action}")
async def confirm(
    request: Request,
    caller: Signed,
    modality: Modality,
    action: Action,
    version: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """What it would do. Looking changes nothing."""
    return await _confirmation(request, caller, modality, action, Asked(version=version))


@router.post("/admin/deployments/{modality}/{action}")
async def act(request: Request, caller: Signed, modality: Modality, action: Action, asked: Filled) -> Response:
    """Do it through the same function as the API. What forbids it is said above the form, which is filled in still."""
    answer = await tried(lambda: _ACTS[action](request, caller, modality, asked), _said)
    if isinstance(answer, ThoracleError):
        return await _confirmation(request, caller, modality, action, asked, answer)
    proposed = isinstance(answer, Response) and answer.status_code == 202
    word = "proposed" if proposed else action
    return RedirectResponse(f"/admin/deployments/{modality}?done={word}", status_code=303)


async def _report(asked: Awaitable[_Report]) -> _Report | None:
    """How a version that is tried out does; None when it was ended while the page was made."""
    try:
        return await asked
    except NotFound:
        return None


async def _confirmation(
    request: Request,
    caller: Caller,
    modality: Modality,
    action: Action,
    asked: Asked,
    problem: ThoracleError | None = None,
) -> Response:
    try:
        shown = await consequence(request, caller, modality, action, asked.version, asked.share)
    except Conflict as nothing:  # what it was about is no longer there
        shown, problem = None, problem or nothing
    stale = problem is not None and problem.code == "generation_stale"
    return page(
        "admin/move.html",
        problem.status if problem else 200,
        reader=Reader.of(caller),
        modality=modality,
        action=action,
        shown=shown,
        asked=asked,
        problem=problem.detail if problem else None,
        errors=getattr(problem, "errors", None),
        meanwhile=await _since(request, caller, modality, asked.generation) if stale else [],
        largest=trials.LARGEST_SHARE,
    )


async def _since(request: Request, caller: Caller, modality: Modality, generation: int) -> list[history.Move]:
    """What others did since a page was drawn."""
    past = await history.history(request, caller, modality, 10, None, None)
    return [move for move in past.moves if move.generation > generation]


async def _prepare(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    return await deployments.prepare(request, caller, modality, deployments.Candidate(version=asked.version))


async def _promote(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    override = asked.override.strip() or None
    body = deployments.Wanted(version=asked.version, reason=asked.reason, override=override)
    return await deployments.promote(request, caller, modality, body, _WAIT_S, _match(asked))


async def _canary(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    body = trials.Canary(version=asked.version, reason=asked.reason, share=asked.share)
    return await trials.canary(request, caller, modality, body, _WAIT_S, _match(asked))


async def _shadow(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    body = trials.Shadow(version=asked.version, reason=asked.reason)
    return await trials.shadow(request, caller, modality, body, _WAIT_S, _match(asked))


async def _end_canary(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    return await trials.end_canary(request, caller, modality, moves.because(asked.reason), _match(asked))


async def _end_shadow(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    return await trials.end_shadow(request, caller, modality, moves.because(asked.reason), _match(asked))


async def _rollback(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    body = deployments.Rollback(reason=asked.reason)
    return await deployments.roll_back(request, caller, modality, body, _match(asked))


async def _recall(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    async with of(request).begin() as session:
        version = await moves.named(session, modality, asked.version)
    return await recalls.recall(request, caller, version.sha256, recalls.Recall(reason=asked.reason))


async def _approve(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    body = approvals.Approval(reason=asked.reason)
    return await approvals.approve(request, caller, modality, _proposal(asked), body)


async def _withdraw(request: Request, caller: Caller, modality: Modality, asked: Asked) -> object:
    return await approvals.withdraw(request, caller, modality, _proposal(asked))


_ACTS: Mapping[Action, Callable[[Request, Caller, Modality, Asked], Awaitable[object]]] = {
    Action.PREPARE: _prepare,
    Action.PROMOTE: _promote,
    Action.CANARY: _canary,
    Action.SHADOW: _shadow,
    Action.END_CANARY: _end_canary,
    Action.END_SHADOW: _end_shadow,
    Action.ROLLBACK: _rollback,
    Action.RECALL: _recall,
    Action.APPROVE: _approve,
    Action.WITHDRAW: _withdraw,
}


def _match(asked: Asked) -> str:
    return f'"{asked.generation}"'


def _proposal(asked: Asked) -> UUID:
    if asked.proposal is None:
        raise Conflict("proposal_over")
    return asked.proposal


def _said(error: ValidationError) -> str:
    """Which field of the form, in words."""
    return say("admin.invalid.share" if field_of(error) == "share" else "admin.invalid.reason")


def _moment(at: str) -> tuple[datetime | None, str | None]:
    """A day, or a day and a time, in UTC: the end of that day or minute. What is none is said."""
    if not at:
        return None, None
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return None, say("admin.at.invalid")
    if len(at) <= len("2026-05-03"):
        found = found.replace(hour=23, minute=59, second=59)
    return found if found.tzinfo else found.replace(tzinfo=UTC), None
