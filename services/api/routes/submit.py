"""POST /v1/jobs: one file in, one committed job out. 202 means that the row survives a power cut."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from services.api import reading, replies
from services.api.accept import Accepted, Submission
from services.api.auth import Signed
from services.api.fields import fields_schema
from services.api.gateway import of
from services.api.intake import received
from services.api.prefer import Wait, applied
from services.api.problems import request_id
from shared.errors import BadRequest
from shared.schemas import TERMINAL, JobView

router = APIRouter(tags=["jobs"])

_FILE = {"type": "string", "format": "binary", "description": "The file itself; its name is ignored"}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {"file": _FILE, **fields_schema()},
                }
            }
        },
    }
}


@router.post(
    "/v1/jobs",
    status_code=202,
    response_model=JobView,
    summary="Submit one file",
    openapi_extra=_FORM,
    responses={
        200: {"model": JobView, "description": "It was waited for and has ended"},
        **replies.errors(400, 408, 409, 413, 415, 422, 507),
    },
)
async def submit(
    request: Request,
    caller: Signed,
    seconds: Wait,
    idempotency_key: Annotated[str | None, Header(description="Repeat a request safely: 1 to 255 characters")] = None,
) -> Response:
    """Commit first, then ring, then answer."""
    gateway = of(request)
    key = _checked(idempotency_key)
    async with received(request, caller.tenant_id) as upload:
        accepted = await Submission(gateway, caller, upload, key, request_id(request)).accept()
    if not accepted.replayed:
        gateway.wake(accepted.modality)
    await gateway.watcher.wait(accepted.job_id, seconds)
    return await _answer(request, caller, accepted, seconds)


async def _answer(request: Request, caller: Signed, accepted: Accepted, seconds: int) -> Response:
    job = None if seconds else accepted.shown
    if job is None:
        job = await reading.job(of(request), caller, accepted.job_id, request_id(request))
    headers = {"Location": job.view.links["self"], **applied(seconds)}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    ended = bool(seconds) and job.view.status in TERMINAL
    return replies.shown(request, job, 200 if ended else 202, headers)


def _checked(key: str | None) -> str | None:
    if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise BadRequest("idempotency_key_invalid")
    return key
