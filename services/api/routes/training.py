"""Training runs: start, look, cancel, try again. A run is a row; a trainer takes it when it has time."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, replies, trainers
from services.api.auth import Caller, Signed
from services.api.gateway import Gateway, of
from services.api.paging import After, Limit, paged
from services.api.prefer import Wait, applied
from services.api.problems import request_id
from services.api.run_views import RunSummary, RunView, run_summary, run_view
from services.api.trainers import Recipes
from shared.db.statements import audit, training, versions
from shared.db.tables import TrainingRun, new_id
from shared.errors import Conflict, NotFound
from shared.queue import TRAINING
from shared.schemas import RunState

router = APIRouter(tags=["training"])

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
RecipeName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-z0-9_]+/[a-z0-9_]+$")]
_RETRY_AFTER_S = "2"


class RunRequest(BaseModel):
    """What to train. `epochs` and `folds` replace the recipe's own numbers."""

    model_config = ConfigDict(extra="forbid")

    recipe: RecipeName
    dataset: Name = Field(description="The name of a folder that a trainer has; never a path")
    mode: Literal["faithful", "sound"] = "sound"
    seed: int = Field(7, ge=0, le=2**31 - 1)
    epochs: int | None = Field(None, ge=1, le=10_000)
    folds: int | None = Field(None, ge=2, le=50)
    name: Name | None = Field(None, description="Of the version; made from mode, seed and run when left out")


class RunPage(BaseModel):
    """Runs, newest first; `next` is the cursor of what follows."""

    runs: list[RunSummary]
    next: str | None


@router.get("/v1/recipes", summary="What can be trained, and on which data", responses=replies.errors(409))
async def recipes(request: Request, caller: Signed) -> Recipes:
    """As the trainers reported it."""
    del caller
    async with of(request).begin() as session:
        return await trainers.known(session)


@router.post(
    "/v1/training-runs",
    status_code=202,
    response_model=RunView,
    summary="Start a training run",
    responses=replies.errors(409, 422),
)
async def start(request: Request, caller: Signed, body: RunRequest) -> Response:
    """Committed before it is answered. Without a living trainer it waits for one."""
    gateway, run_id = of(request), new_id()
    name = body.name or f"{body.mode}-{body.seed}-{run_id.hex[-8:]}"
    async with gateway.begin() as session:
        recipe = await trainers.require(session, body.recipe, body.dataset)
        if await session.scalar(versions.named(recipe.modality, name)) is not None:
            raise Conflict("name_taken")
        run = TrainingRun(
            id=run_id,
            tenant_id=caller.tenant_id,
            principal_id=caller.principal_id,
            name=name,
            options=body.model_dump(include={"epochs", "folds"}, exclude_none=True),
            **body.model_dump(include={"recipe", "dataset", "mode", "seed"}),
        )
        session.add(run)
        await session.flush()
        await session.execute(audit.event(caller, "training.start", "training_run", str(run_id), request_id(request)))
        view = await read(gateway, session, caller, run_id)
    gateway.wake(TRAINING)
    return _answer(request, view, 202)


@router.get("/v1/training-runs", summary="Your training runs, newest first", responses=replies.errors(400, 422))
async def listed(
    request: Request,
    caller: Signed,
    limit: Limit = 50,
    after: After = None,
) -> RunPage:
    """Without their curves."""
    gateway = of(request)
    async with gateway.begin() as session:
        rows = (await session.execute(training.page(caller.tenant_id, cursor.to_uuid(after), limit + 1))).all()
    found, following = paged(rows, limit, lambda row: row[0].id)
    views = [run_summary(run, version, gateway.settings.base_url) for run, version in found]
    return RunPage(runs=views, next=following)


@router.get(
    "/v1/training-runs/{run_id}",
    response_model=RunView,
    summary="One run with its progress and curve",
    responses={304: {"description": "You hold it already"}, **replies.errors(404)},
)
async def one(request: Request, caller: Signed, run_id: UUID, seconds: Wait) -> Response:
    """At once, or as soon as it has ended when the caller prefers to wait."""
    gateway = of(request)
    async with gateway.begin() as session:
        view = await read(gateway, session, caller, run_id)
    if seconds and is_open(view):
        await gateway.run_watcher.wait(run_id, seconds)
        async with gateway.begin() as session:
            view = await read(gateway, session, caller, run_id)
    return _answer(request, view, headers=applied(seconds))


@router.delete(
    "/v1/training-runs/{run_id}", response_model=RunView, summary="Cancel a run", responses=replies.errors(404, 409)
)
async def cancel(request: Request, caller: Signed, run_id: UUID) -> Response:
    """Its trainer stops within an epoch, and cannot publish any more from now on."""
    return await _change(request, caller, run_id, training.cancel(caller.tenant_id, run_id), "training.cancel")


@router.post(
    "/v1/training-runs/{run_id}/retry",
    status_code=202,
    response_model=RunView,
    summary="Train again what ended without a version",
    responses=replies.errors(404, 409),
)
async def retry(request: Request, caller: Signed, run_id: UUID) -> Response:
    """From the beginning, with all its attempts."""
    return await _change(request, caller, run_id, training.retry(caller.tenant_id, run_id), "training.retry", 202)


async def _change(
    request: Request, caller: Caller, run_id: UUID, statement: TextClause, action: str, status: int = 200
) -> Response:
    gateway = of(request)
    async with gateway.begin() as session:
        changed = (await session.execute(statement)).one_or_none()
        if changed is not None and action == "training.retry":
            await session.execute(training.forget_points(run_id))
        view = await read(gateway, session, caller, run_id)
        if changed is None:
            raise Conflict(_REFUSALS[action])
        await session.execute(audit.event(caller, action, "training_run", str(run_id), request_id(request)))
    if view.status == RunState.QUEUED:
        gateway.wake(TRAINING)
    return _answer(request, view, status)


async def read(gateway: Gateway, session: AsyncSession, caller: Caller, run_id: UUID) -> RunView:
    """A run with its curve. Raises NotFound: unknown, or another tenant's."""
    row = (await session.execute(training.visible(caller.tenant_id).where(TrainingRun.id == run_id))).one_or_none()
    if row is None:
        raise NotFound
    run, version = row
    return run_view(run, version, await session.scalars(training.curve(run_id)), gateway.settings.base_url)


def _answer(request: Request, view: RunView, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    every = {**(headers or {})}
    if status == 202:
        every["Location"] = view.links["self"]
    if is_open(view):
        every["Retry-After"] = _RETRY_AFTER_S
    return replies.represented(request, view, status, every)


def is_open(view: RunSummary) -> bool:
    """Whether a run has not ended."""
    return view.status in (RunState.QUEUED, RunState.RUNNING)


_REFUSALS = {"training.cancel": "run_not_cancellable", "training.retry": "run_not_retryable"}
