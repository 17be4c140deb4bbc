"""How a job is answered over HTTP: validators, Retry-After, Location, and the errors that every route declares."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from services.api.looks import Shown
from services.api.prefer import etag_of, has_already

_NONE: Mapping[str, str] = {}
_PRIVATE = {"Cache-Control": "private, no-cache"}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare error answers of a route; the description gets their shape in `services.api.openapi`."""
    return {status: {"description": _MEANINGS[status]} for status in statuses}


def shown(request: Request, job: Shown, status: int = 200, headers: Mapping[str, str] = _NONE) -> Response:
    """A job's representation, or 304 when the caller holds it already."""
    response = represented(request, job.view, status, headers)
    if job.retry_after_s is not None:
        response.headers["Retry-After"] = str(job.retry_after_s)
    return response


def represented(request: Request, view: BaseModel, status: int = 200, headers: Mapping[str, str] = _NONE) -> Response:
    """A representation with its validator."""
    body = view.model_dump_json().encode()
    every = {"ETag": etag_of(body), **_PRIVATE, **headers}
    if request.method == "GET" and has_already(request, every["ETag"]):
        return Response(status_code=304, headers=every)
    return Response(body, status, every, media_type="application/json")


_MEANINGS = {
    400: "The request cannot be understood",
    404: "Unknown, or another tenant's",
    408: "The upload came too slowly",
    409: "The present state does not allow it",
    412: "Somebody else was faster",
    413: "More bytes than are accepted",
    415: "A kind of file or encoding that is not read",
    422: "A value cannot be accepted",
    428: "If-Match is missing",
    429: "Too much waits already, or too many requests; ask again after Retry-After",
    500: "The stored bytes are no longer what was sent",
    507: "No room for the upload",
}
