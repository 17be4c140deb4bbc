"""One job's outcome as a row: the columns of a batch's results, as CSV or NDJSON."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.api import reading, replies
from services.api.auth import Signed
from services.api.bulk import export
from services.api.gateway import of
from services.api.problems import request_id
from shared.db.statements import audit
from shared.errors import Conflict
from shared.schemas import TERMINAL

router = APIRouter(tags=["jobs"])

_RESULT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One row; the columns are those of a batch's results",
        "content": {"text/csv": {}, "application/x-ndjson": {}},
    }
}


@router.get(
    "/v1/jobs/{job_id}/results",
    summary="One job's outcome as a row",
    response_class=Response,
    responses={**_RESULT, **replies.errors(404, 409)},
)
async def results(
    request: Request,
    caller: Signed,
    job_id: UUID,
    kind: Annotated[Literal["csv", "ndjson"], Query(alias="format")] = "csv",
) -> Response:
    """Once the job has ended."""
    gateway = of(request)
    async with gateway.begin() as session:
        row = await reading.find_row(session, caller.tenant_id, job_id)
        shown = await reading.show(gateway, session, row)
        await session.execute(audit.event(caller, "job.read", "job", str(job_id), request_id(request)))
    if shown.view.status not in TERMINAL:
        raise Conflict("job_open")
    write = export.as_csv if kind == "csv" else export.ndjson
    body = b"".join([piece async for piece in write(_alone(export.flat(row, shown.view)))])
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.{kind}"'}
    media_type = "text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson"
    return Response(body, media_type=media_type, headers=headers)


async def _alone(row: export.Flat) -> AsyncIterator[list[export.Flat]]:
    yield [row]
