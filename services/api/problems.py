"""Every error as problem+json (RFC 9457): a stable code, a sentence, the request's id; never a stack or a path."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared.errors import BadRequest, NotFound, ThoracleError, Unavailable, Unprocessable
from shared.schemas import Problem
from shared.sentences import say

MEDIA_TYPE = "application/problem+json"
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "input_too_large"}
_log = structlog.get_logger()

PageRenderer = Callable[[Request, Problem], Response]


def install(app: FastAPI) -> None:
    """Let the application answer every error with a problem."""
    app.add_exception_handler(ThoracleError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(SQLAlchemyError, _database)


def answer(
    request: Request,
    error: ThoracleError,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """The answer for an error: problem+json, or a page where the caller is a browser that looks at pages."""
    problem = Problem(
        title=_title(error.status),
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=request_id(request),
        errors=errors or getattr(error, "errors", None),
    )
    page: PageRenderer | None = getattr(request.app.state, "problem_page", None)
    response = page(request, problem) if page and _wants_page(request) else _json(problem)
    response.headers.update(headers or {})
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retryable:
        response.headers.setdefault("Retry-After", str(error.retry_after_s))
    return response


def request_id(request: Request) -> str | None:
    """The id that this request has in answers, logs and the audit log."""
    value: str | None = request.scope.get("state", {}).get("request_id")
    return value


def _json(problem: Problem) -> Response:
    return JSONResponse(problem.model_dump(exclude_none=True), problem.status, media_type=MEDIA_TYPE)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _wants_page(request: Request) -> bool:
    path = request.url.path
    return not path.startswith(("/v1/", "/health/", "/metrics")) and "text/html" in request.headers.get("accept", "")


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ThoracleError)
    return answer(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if all(item["loc"][:1] == ("path",) for item in found):
        # An id that cannot be one is an unknown one.
        return answer(request, NotFound())
    unreadable = any(item["type"] == "json_invalid" for item in found)
    shown = BadRequest() if unreadable else Unprocessable()
    return answer(request, shown, errors=_named(found))


def _named(found: Sequence[Any]) -> list[dict[str, str]]:
    """Which field, and what is wrong with it; never the value that was sent."""
    return [{"field": ".".join(str(part) for part in item["loc"][1:]), "detail": str(item["msg"])} for item in found]


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "internal_error" if error.status_code >= 500 else "request_invalid")
    shown = ThoracleError(code, detail=say(code, limit_mb="few"))
    shown.status = error.status_code
    return answer(request, shown, error.headers)


async def _disconnected(request: Request, _: Exception) -> Response:
    # Nobody reads this answer any more.
    return answer(request, BadRequest())


async def _database(request: Request, error: Exception) -> Response:
    if isinstance(error, DataError):
        return answer(request, BadRequest())
    if isinstance(error, DBAPIError | PoolTimeout):
        _log.warning("database_unavailable", error=type(getattr(error, "orig", None) or error).__name__)
        return answer(request, Unavailable())
    return internal(request, error)


def internal(request: Request, error: Exception) -> Response:
    """The answer for what nobody foresaw. The log has the place, not the text, which may quote a patient."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        place, trace = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}", trace.tb_next
    _log.error("request_failed", error=type(error).__name__, place=place)
    return answer(request, ThoracleError())
