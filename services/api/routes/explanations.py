"""Why a result is as it is: made on demand, after all jobs."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.api import explaining, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.prefer import Wait, applied
from services.api.problems import request_id
from shared.schemas import Explanation

router = APIRouter(tags=["jobs"])

_RETRY_S = "2"


@router.get(
    "/v1/jobs/{job_id}/explanation",
    response_model=Explanation,
    summary="What moved the score of this result",
    responses={
        202: {"description": "Being made, after all waiting jobs; ask again after Retry-After"},
        304: {"description": "You hold it already"},
        **replies.errors(404, 409),
    },
)
async def explanation(request: Request, caller: Signed, job_id: UUID, seconds: Wait) -> Response:
    """A heat map over the X-ray or the spectrogram, or contributions of features; with the check against chance.

    It shows what moved the score of this version, not where a disease is. Not made for a version that was recalled.
    """
    found = await explaining.ask(of(request), caller, job_id, request_id(request), seconds)
    if found.problem is not None:
        raise found.problem
    if found.answer is None:
        return JSONResponse({"status": "waiting"}, 202, {"Retry-After": _RETRY_S, **applied(seconds)})
    return replies.represented(request, found.answer, headers=applied(seconds))
