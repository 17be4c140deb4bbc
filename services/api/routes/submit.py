"""POST /v1/jobs: one file in, one committed job out. 202 means that the row survives a power cut."""

from fastapi import APIRouter, Request, Response

from services.api import reading, replies
from services.api.accept import Accepted, Submission
from services.api.auth import Signed
from services.api.fields import fields_schema
from services.api.gateway import of
from services.api.idempotency import Key
from services.api.intake import announced, received
from services.api.prefer import Wait, applied
from services.api.problems import request_id
from shared.db.statements import submissions
from shared.faults import fault
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
        **replies.errors(400, 408, 409, 413, 415, 422, 429, 507),
    },
)
async def submit(
    request: Request,
    caller: Signed,
    seconds: Wait,
    key: Key,
) -> Response:
    """Commit first, then ring, then answer."""
    gateway = of(request)
    async with received(request, caller.tenant_id, repeated=await _repeated(request, caller, key)) as upload:
        fault("submit.received")
        accepted = await Submission(gateway, caller, upload, key, request_id(request)).accept()
    fault("submit.committed")
    if not accepted.replayed:
        gateway.wake(accepted.modality)
    fault("submit.rung")
    await gateway.watcher.wait(accepted.job_id, seconds)
    return await _answer(request, caller, accepted, seconds)


async def _repeated(request: Request, caller: Signed, key: str | None) -> bool:
    """Whether there is no room but the key is known: then the answer is owed, for its job was accepted before."""
    gateway = of(request)
    if key is None or gateway.admission.has_room(caller.tenant_id, announced(request)):
        return False
    async with gateway.look() as connection:
        query = submissions.remembered(caller.principal_id, key, gateway.settings.idempotency_hours)
        return (await connection.execute(query)).first() is not None


async def _answer(request: Request, caller: Signed, accepted: Accepted, seconds: int) -> Response:
    job = None if seconds else accepted.shown
    if job is None:
        job = await reading.job(of(request), caller, accepted.job_id, request_id(request))
    headers = {"Location": job.view.links["self"], **applied(seconds)}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    ended = bool(seconds) and job.view.status in TERMINAL
    return replies.shown(request, job, 200 if ended else 202, headers)
