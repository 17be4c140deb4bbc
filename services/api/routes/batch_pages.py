"""The pages of batches: the list, one with its progress, cancel, try again what failed."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.api import reading
from services.api.auth import Signed
from services.api.bulk.views import BatchView
from services.api.gateway import of
from services.api.prefer import etag_of
from services.api.problems import request_id
from services.api.routes import batches
from services.api.web.reader import Reader
from services.api.web.render import page
from shared.db.statements.wanted import Wanted
from shared.schemas import TERMINAL, JobState

router = APIRouter(include_in_schema=False)

_ROWS, _UNANSWERED = 20, 50
_WITHOUT = (JobState.FAILED, JobState.REJECTED, JobState.DEAD)


@router.get("/batches")
async def listed(request: Request, caller: Signed, cursor: str | None = None) -> Response:
    """The tenant's batches, newest first."""
    found = await batches.listed(request, caller, _ROWS, cursor)
    older = f"/batches?cursor={found.next}" if found.next else None
    return page("batches.html", reader=Reader.of(caller), batches=found.batches, older=older, is_latest=cursor is None)


@router.get("/batches/{batch_id}")
async def one(request: Request, caller: Signed, batch_id: UUID) -> Response:
    """How far it is, what was refused, what ended without a result."""
    gateway = of(request)
    shown = await batches.read(request, caller, batch_id)
    without = Wanted(batch=batch_id, states=[str(state) for state in _WITHOUT])
    jobs, more = await reading.page(gateway, caller, without, _UNANSWERED, request_id(request))
    return page(
        "batch.html",
        reader=Reader.of(caller),
        batch=shown,
        etag=etag_of(shown.model_dump_json().encode()),
        ended=_ended(shown),
        again=0
        if shown.cancelled_at
        else sum(shown.states.get(state, 0) for state in (JobState.FAILED, JobState.DEAD)),
        unanswered=jobs,
        more=more,
    )


@router.post("/batches/{batch_id}/cancel")
async def cancel(request: Request, caller: Signed, batch_id: UUID) -> Response:
    """Cancel what has not ended."""
    await batches.cancel(request, caller, batch_id)
    return _to(batch_id)


@router.post("/batches/{batch_id}/retry")
async def retry(request: Request, caller: Signed, batch_id: UUID) -> Response:
    """Queue again what failed or was given up."""
    await batches.retry(request, caller, batch_id)
    return _to(batch_id)


def _ended(shown: BatchView) -> int:
    return sum(count for state, count in shown.states.items() if state in TERMINAL)


def _to(batch_id: UUID) -> Response:
    return RedirectResponse(f"/batches/{batch_id}", status_code=303)
