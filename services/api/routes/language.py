"""The switch of languages that every page has; it works without the script, and before anybody has signed in."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.routing import Match

from services.api import auth, tongue
from services.api.gateway import of
from shared.sentences import Language

router = APIRouter(include_in_schema=False)


@router.post("/language")
async def choose(request: Request, language: Annotated[Language, Form()]) -> Response:
    """Remember the language in the browser and go back to the page that was open."""
    auth.require_same_origin(request)
    answer = RedirectResponse(_back(request), status_code=303)
    answer.set_cookie(
        tongue.COOKIE,
        language,
        max_age=tongue.YEAR_S,
        secure=of(request).settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return answer


def _back(request: Request) -> str:
    """Path and query of the page that was open, where it can be opened again; else the first page."""
    open_ = urlsplit(request.headers.get("referer", ""))
    scope = {**request.scope, "method": "GET", "path": open_.path, "raw_path": open_.path.encode()}
    known = any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    if not known or not open_.path.startswith("/") or open_.path.startswith("//"):
        return "/"
    return f"{open_.path}?{open_.query}" if open_.query else open_.path
