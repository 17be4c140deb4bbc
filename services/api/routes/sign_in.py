"""Signing in with a key or a one-time link, and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from services.api import auth
from services.api.auth import Signed
from services.api.gateway import of
from services.api.problems import request_id
from services.api.web.render import page
from shared.errors import Unauthenticated
from shared.sentences import say

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def form(next: str = "/") -> Response:  # noqa: A002 - the address says next
    """The form for a key."""
    return page("sign_in.html", link=None, problem=None, next=_safe(next))


@router.post("/sign-in")
async def with_key(
    request: Request,
    key: Annotated[str, Form(max_length=512)] = "",
    next: Annotated[str, Form(max_length=2048)] = "/",  # noqa: A002
) -> Response:
    """Begin a session with the rights of a key."""
    auth.require_same_origin(request)
    try:
        secret = await auth.sign_in_with_key(of(request), key.strip(), request_id(request))
    except Unauthenticated:
        return page("sign_in.html", 401, link=None, problem=say("page.key_unknown"), next=_safe(next))
    return _begin(request, secret, _safe(next))


@router.get("/sign-in/{secret}")
async def link(secret: str) -> Response:
    """Show a button: a program that looks at the link before the person does must not use it up."""
    return page("sign_in.html", link=secret, problem=None, next="/")


@router.post("/sign-in/{secret}")
async def with_link(request: Request, secret: str) -> Response:
    """Begin a session with a one-time link."""
    auth.require_same_origin(request)
    try:
        session = await auth.sign_in_with_link(of(request), secret, request_id(request))
    except Unauthenticated as problem:
        return page("sign_in.html", 401, link=None, problem=problem.detail, next="/")
    return _begin(request, session, "/")


@router.post("/sign-out")
async def out(request: Request, caller: Signed) -> Response:
    """End the session."""
    await auth.sign_out(of(request), caller, request_id(request))
    answer = RedirectResponse("/sign-in", status_code=303)
    auth.clear_cookie(answer)
    return answer


def _begin(request: Request, secret: str, target: str) -> Response:
    answer = RedirectResponse(target, status_code=303)
    auth.set_cookie(answer, of(request).settings, secret)
    return answer


def _safe(target: str) -> str:
    """A path of our own, whatever the address asked for: never another site's."""
    ours = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if ours and target.isprintable() else "/"
