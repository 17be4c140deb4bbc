"""The stored input of a job, and pictures of it that workers draw on demand."""

import asyncio
from typing import Literal
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from services.api import reading, replies
from services.api.auth import Caller, Signed
from services.api.gateway import Gateway, of
from services.api.prefer import has_already
from services.api.problems import request_id
from services.api.views import JobRow
from shared.db.statements import audit, renditions
from shared.db.statements.explanations import HEAT
from shared.errors import Conflict, NotFound
from shared.schemas import Modality

router = APIRouter(tags=["inputs"])

Kind = Literal["picture", "waveform", "spectrogram", "heat"]
_KINDS = {
    Modality.CHEST_XRAY: ("picture", HEAT),
    Modality.COUGH: ("waveform", "spectrogram", HEAT),
    Modality.LUNG_SOUND: ("waveform", "spectrogram", HEAT),
}
_ENDINGS = {
    "application/dicom": "dcm",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/tiff": "tif",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
    "audio/matroska": "mka",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/aiff": "aiff",
    "audio/x-caf": "caf",
}
_LOOKS, _LOOK_S = 25, 0.2
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/v1/jobs/{job_id}/input",
    response_class=Response,
    summary="The file as it was sent",
    responses={
        200: {"description": "The bytes", "content": {"application/octet-stream": _BINARY}},
        **replies.errors(404, 500),
    },
)
async def stored(request: Request, caller: Signed, job_id: UUID) -> Response:
    """Always as an attachment, never under the name it came with, and only if the bytes are still the same."""
    gateway = of(request)
    row = await _audited(gateway, caller, job_id, "input.read", request_id(request))
    headers = _caching(row.input.sha256)
    if has_already(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    path = await to_thread.run_sync(gateway.store.verified_path, caller.tenant_id, row.input.sha256)
    ending = _ENDINGS.get(row.input.media_type, "bin")
    headers["Content-Disposition"] = f'attachment; filename="{job_id}.{ending}"'
    # It answers Range, without which a browser's player cannot go back to the sound in question.
    return FileResponse(path, media_type=row.input.media_type, headers=headers)


@router.get(
    "/v1/jobs/{job_id}/renditions/{kind}",
    response_class=Response,
    summary="A picture of the input",
    responses={
        200: {"description": "The picture", "content": {"image/png": _BINARY}},
        202: {"description": "Being drawn; ask again after Retry-After"},
        **replies.errors(404, 409),
    },
)
async def rendition(request: Request, caller: Signed, job_id: UUID, kind: Kind) -> Response:
    """Drawn by a worker in its sandbox on first demand; waited for a little. `heat` is drawn with the explanation."""
    gateway = of(request)
    row = await _audited(gateway, caller, job_id, "rendition.read", request_id(request))
    if kind not in _KINDS[Modality(row.job.modality)]:
        raise NotFound
    sha256 = await (_heat(gateway, row) if kind == HEAT else _drawn(gateway, row, kind))
    if sha256 is None:
        return JSONResponse({"status": "waiting"}, 202, {"Retry-After": "1"})
    headers = _caching(sha256)
    if has_already(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    pieces = gateway.store.chunks(caller.tenant_id, sha256)
    return StreamingResponse(pieces, media_type="image/png", headers=headers)


async def _audited(gateway: Gateway, caller: Caller, job_id: UUID, action: str, request: str | None) -> JobRow:
    async with gateway.begin() as session:
        row = await reading.find_row(session, caller.tenant_id, job_id)
        await session.execute(audit.event(caller, action, "job", str(job_id), request))
    return row


async def _drawn(gateway: Gateway, row: JobRow, kind: Kind) -> str | None:
    """The sha256 of the picture, None while it waits. Raises NotFound when none can be made."""
    tenant, job_id = row.job.tenant_id, row.job.id
    async with gateway.begin() as session:
        await session.execute(renditions.wish(tenant, job_id, kind))
    for look in range(_LOOKS):
        async with gateway.begin() as session:
            state, sha256 = (await session.execute(renditions.state(tenant, job_id, kind))).one()
        if state == "failed":
            raise NotFound("rendition_failed")
        if state == "made":
            return str(sha256)
        if look == 0:
            gateway.wake(row.job.modality)
        await asyncio.sleep(_LOOK_S)
    return None


async def _heat(gateway: Gateway, row: JobRow) -> str:
    """The sha256 of the heat map, of a version that may still speak. Raises NotFound, Conflict."""
    if row.answering is not None and row.answering.recalled_at is not None:
        raise Conflict("explanation_recalled")
    async with gateway.begin() as session:
        found = (await session.execute(renditions.state(row.job.tenant_id, row.job.id, HEAT))).one_or_none()
    if found is None:
        raise NotFound("explanation_first")
    return str(found.sha256)


def _caching(sha256: str) -> dict[str, str]:
    return {"ETag": f'"{sha256}"', "Cache-Control": "private, no-cache"}
