"""Batches: many jobs in one request, their counts, their results while they come, cancel, try again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Insert, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, replies
from services.api.auth import Caller, Signed
from services.api.bulk import export
from services.api.bulk.submission import Submission
from services.api.bulk.views import BatchPage, BatchReceipt, BatchView, find, receipt_view, view, views
from services.api.gateway import Gateway, of
from services.api.idempotency import Key
from services.api.paging import After, Text, paged
from services.api.problems import request_id
from shared.db.statements import audit, batches
from shared.db.tables import Batch
from shared.errors import BadRequest, Conflict
from shared.schemas import JobState

router = APIRouter(tags=["batches"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/zip": {
                "schema": {"type": "string", "format": "binary", "description": "Files beside a manifest.csv"}
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["manifest"],
                    "properties": {
                        "manifest": {"type": "string", "description": 'First; a line each: {"file": ..., ...}'},
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                }
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": 'A line each: {"sha256": ..., "modality": ..., ...}'}
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["from"],
                    "properties": {
                        "from": {"type": "object", "description": "A filter as of GET /v1/jobs"},
                        "version": {"type": "string", "description": "Name or sha256; the pinned one when absent"},
                        "priority": {"type": "string", "enum": ["stat", "routine", "bulk"]},
                    },
                }
            },
        },
    }
}
_RESULTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One row a job: " + "; ".join(f"`{name}` {meaning}" for name, meaning in export.COLUMNS.items()),
        "content": {"application/x-ndjson": {}, "text/csv": {}},
    }
}


@router.post(
    "/v1/batches",
    status_code=202,
    response_model=BatchReceipt,
    summary="Submit many items",
    openapi_extra=_BODY,
    responses=replies.errors(400, 408, 409, 413, 415, 422, 429, 507),
)
async def submit(request: Request, caller: Signed, key: Key, client_ref: Text | None = None) -> Response:
    """The Idempotency-Key names the batch: sent again, only what is missing is made; more items may follow under it."""
    if key is None:
        raise BadRequest("batch_key_required")
    batch, receipt = await Submission(request, caller, key, client_ref).accept()
    gateway = of(request)
    async with gateway.begin() as session:
        shown = await view(session, caller.tenant_id, batch, gateway.settings.base_url)
    return _answer(receipt_view(shown, receipt), 202)


@router.get("/v1/batches", summary="Your batches, newest first", responses=replies.errors(400, 422))
async def listed(
    request: Request, caller: Signed, limit: Annotated[int, Query(ge=1, le=50)] = 20, after: After = None
) -> BatchPage:
    """A page of the tenant's batches."""
    gateway = of(request)
    async with gateway.begin() as session:
        rows = (await session.scalars(batches.page(caller.tenant_id, cursor.to_uuid(after), limit + 1))).all()
        found, following = paged(rows, limit, lambda batch: batch.id)
        shown = await views(session, caller.tenant_id, found, gateway.settings.base_url)
        await session.execute(_event(request, caller, "batch.list", None))
    return BatchPage(batches=shown, next=following)


@router.get(
    "/v1/batches/{batch_id}",
    response_model=BatchView,
    summary="One batch with its counts",
    responses={304: {"description": "You hold it already"}, **replies.errors(404)},
)
async def one(request: Request, caller: Signed, batch_id: UUID) -> Response:
    """Counts per state and the time left, as they are now."""
    return replies.represented(request, await read(request, caller, batch_id))


async def read(request: Request, caller: Caller, batch_id: UUID) -> BatchView:
    """The same for a page. Raises NotFound."""
    gateway = of(request)
    shown = await _now(gateway, caller.tenant_id, batch_id)
    await gateway.followed.read(caller, "batch", batch_id, request_id(request))
    return shown


@router.delete("/v1/batches/{batch_id}", summary="Cancel what has not ended", responses=replies.errors(404))
async def cancel(request: Request, caller: Signed, batch_id: UUID) -> BatchView:
    """No job of it waits or runs any more, and it takes no more items. Results that are there stay."""
    gateway, tenant = of(request), caller.tenant_id
    async with gateway.begin() as session:
        await find(session, tenant, batch_id)
        ended = update(Batch).where(Batch.id == batch_id, Batch.tenant_id == tenant)
        await session.execute(ended.values(cancelled_at=func.coalesce(Batch.cancelled_at, func.now())))
        await session.execute(_event(request, caller, "batch.cancel", batch_id))
    while True:
        async with gateway.begin() as session:
            moved = (await session.execute(batches.cancel(tenant, batch_id))).scalar_one()
        if moved < batches.SLICE:
            shown = await _now(gateway, tenant, batch_id)
            if not (shown.states.get(JobState.QUEUED) or shown.states.get(JobState.RUNNING)):
                return shown
            await asyncio.sleep(0.05)  # a worker is just committing these, or claiming them


@router.post(
    "/v1/batches/{batch_id}/retry",
    status_code=202,
    summary="Try what failed or died again",
    responses=replies.errors(404, 409, 429),
)
async def retry(request: Request, caller: Signed, batch_id: UUID) -> BatchView:
    """Queue every failed or dead job again, with all its attempts; each comes again in the results."""
    gateway, tenant = of(request), caller.tenant_id
    shown = await _now(gateway, tenant, batch_id)
    failed = shown.states.get(JobState.FAILED, 0) + shown.states.get(JobState.DEAD, 0)
    with gateway.admission.room(tenant, 0, failed, bulk=True):
        for _ in range(failed // batches.SLICE + 1):
            async with gateway.begin() as session:
                await _require_wanted(session, tenant, batch_id)
                rows = (await session.execute(batches.retry(tenant, batch_id))).all()
                await session.execute(_event(request, caller, "batch.retry", batch_id))
            for row in rows:
                gateway.wake(row.modality)
    return await _now(gateway, tenant, batch_id)


@router.get(
    "/v1/batches/{batch_id}/results",
    summary="The outcomes, also while it runs",
    response_class=StreamingResponse,
    responses={**_RESULTS, **replies.errors(400, 404)},
)
async def results(
    request: Request,
    caller: Signed,
    batch_id: UUID,
    after: Annotated[str | None, Query(max_length=64, description="`cursor` of the last row that you have")] = None,
    kind: Annotated[
        Literal["ndjson", "csv"] | None, Query(alias="format", description="Else by Accept, else ndjson")
    ] = None,
) -> StreamingResponse:
    """Every outcome once, in the order in which they ended; go on with `after` until the batch is `done`."""
    gateway, start = of(request), cursor.to_pair(after)
    async with gateway.begin() as session:
        await find(session, caller.tenant_id, batch_id)
        await session.execute(_event(request, caller, "batch.results", batch_id))
    found = export.pages(gateway, caller, batch_id, start)
    if kind == "csv" or (kind is None and "text/csv" in request.headers.get("accept", "")):
        return _stream(export.as_csv(found), "text/csv; charset=utf-8", "csv")
    return _stream(export.ndjson(found), "application/x-ndjson", "ndjson")


async def _require_wanted(session: AsyncSession, tenant: UUID, batch_id: UUID) -> None:
    """Raise Conflict when the batch was cancelled; else nobody cancels it before the transaction ends."""
    held = batches.one(tenant, batch_id).with_for_update(read=True)
    if (await session.scalars(held)).one().cancelled_at is not None:
        raise Conflict("batch_cancelled")


async def _now(gateway: Gateway, tenant: UUID, batch_id: UUID) -> BatchView:
    async with gateway.begin() as session:
        return await view(session, tenant, batch_id, gateway.settings.base_url)


def _event(request: Request, caller: Caller, action: str, batch_id: UUID | None) -> Insert:
    return audit.event(caller, action, "batch", None if batch_id is None else str(batch_id), request_id(request))


def _stream(body: AsyncIterator[bytes], media_type: str, ending: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="results.{ending}"'}
    return StreamingResponse(body, media_type=media_type, headers=headers)


def _answer(shown: BatchReceipt, status: int) -> Response:
    headers = {"Location": shown.links["self"]}
    return Response(shown.model_dump_json(), status, headers, media_type="application/json")
