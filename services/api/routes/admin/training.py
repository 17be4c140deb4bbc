"""Training runs: start one, follow its curves, cancel, try again; where its version came to."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, ValidationError

from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.routes import training
from services.api.run_views import RunView
from services.api.trainers import Recipes, known
from services.api.web import curves
from services.api.web.forms import field_of, tried
from services.api.web.reader import Reader
from services.api.web.render import page
from shared.errors import Conflict, ThoracleError
from shared.schemas import Modality
from shared.sentences import say

router = APIRouter(include_in_schema=False)

_ROWS = 25


class Asked(BaseModel):
    """The form of a new run; an empty field stands for the recipe's own."""

    recipe: str = Field("", max_length=128)
    dataset: str = Field("", max_length=64)
    mode: str = "sound"
    seed: str = "7"
    name: str = Field("", max_length=64)
    epochs: str = ""
    folds: str = ""


@router.get("/admin/training")
async def overview(request: Request, caller: Signed, cursor: str | None = None) -> Response:
    """The runs of this hospital, and the form for another."""
    return await _overview(request, caller, Asked(), None, cursor)


@router.post("/admin/training")
async def start(request: Request, caller: Signed, asked: Annotated[Asked, Form()]) -> Response:
    """Start one and follow it. What is wrong is said above the form, which is filled in still."""
    given = {key: text for key, text in asked.model_dump().items() if text.strip()}
    answer = await tried(lambda: training.start(request, caller, training.RunRequest.model_validate(given)), _said)
    if isinstance(answer, ThoracleError):
        return await _overview(request, caller, asked, answer, None)
    return RedirectResponse(f"/admin/training/{answer.headers['Location'].rpartition('/')[2]}", status_code=303)


@router.get("/admin/training/{run_id}")
async def one(request: Request, caller: Signed, run_id: UUID) -> Response:
    """Where it is, its curves so far, its figures, and what became of its version."""
    return await _one(request, caller, run_id)


@router.post("/admin/training/{run_id}/cancel")
async def cancel(request: Request, caller: Signed, run_id: UUID) -> Response:
    """Its trainer stops within an epoch."""
    try:
        await training.cancel(request, caller, run_id)
    except Conflict as late:
        return await _one(request, caller, run_id, late)
    return RedirectResponse(f"/admin/training/{run_id}", status_code=303)


@router.post("/admin/training/{run_id}/retry")
async def retry(request: Request, caller: Signed, run_id: UUID) -> Response:
    """From the beginning."""
    try:
        await training.retry(request, caller, run_id)
    except Conflict as late:
        return await _one(request, caller, run_id, late)
    return RedirectResponse(f"/admin/training/{run_id}", status_code=303)


async def _overview(
    request: Request, caller: Caller, asked: Asked, problem: ThoracleError | None, cursor: str | None
) -> Response:
    listed = await training.listed(request, caller, _ROWS, cursor)
    return page(
        "admin/training.html",
        problem.status if problem else 200,
        reader=Reader.of(caller),
        runs=listed.runs,
        older=listed.next,
        busy=any(training.is_open(run) for run in listed.runs),
        there=await known_trainers(request),
        asked=asked,
        problem=problem.detail if problem else None,
    )


async def _one(request: Request, caller: Caller, run_id: UUID, problem: ThoracleError | None = None) -> Response:
    gateway = of(request)
    async with gateway.begin() as session:
        run = await training.read(gateway, session, caller, run_id)
    there = await known_trainers(request)
    return page(
        "admin/run.html",
        problem.status if problem else 200,
        reader=Reader.of(caller),
        run=run,
        busy=training.is_open(run),
        modality=_modality(run),
        trainers=there.trainers_alive if there else 0,
        loss=curves.loss(run.curve),
        accuracy=curves.accuracy(run.curve),
        problem=problem.detail if problem else None,
    )


def _modality(run: RunView) -> Modality | None:
    """Recipes are called after their kind of input."""
    return next((kind for kind in Modality if run.recipe.startswith(f"{kind}/")), None)


async def known_trainers(request: Request) -> Recipes | None:
    """What trainers can train; None when there never was one."""
    try:
        async with of(request).begin() as session:
            return await known(session)
    except Conflict:
        return None


def _said(error: ValidationError) -> str:
    return say("admin.run.invalid", field=say(f"admin.run.field.{field_of(error)}"))
