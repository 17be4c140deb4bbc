"""How a problem looks to a person: the same code and sentence as in problem+json, and what to do next."""

from typing import NamedTuple
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.api.web.reader import Reader
from services.api.web.render import page
from shared.schemas import Problem
from shared.sentences import say


class Action(NamedTuple):
    """A link to go on with."""

    href: str
    text: str


def problem_page(request: Request, problem: Problem) -> Response:
    """A page for a problem. Who is not signed in is sent to sign in, and back here afterwards."""
    if problem.status == 401 and request.method == "GET":
        return RedirectResponse(f"/sign-in?next={quote(_here(request))}", status_code=303)
    caller = getattr(request.state, "caller", None)
    reader = Reader.of(caller) if caller else None
    if problem.code == "forbidden" and request.url.path == "/" and (start := _start(reader)):
        return RedirectResponse(start.href, status_code=303)  # where a sign-in leads who sees no patients
    return page(
        "error.html",
        problem.status,
        reader=reader,
        heading=_heading(problem.status),
        detail=problem.detail,
        advice=_advice(reader) if problem.code == "forbidden" else None,
        actions=_actions(problem, reader),
        may_sign_out=problem.status == 403 and reader is None,
        code=problem.code,
        request_id=problem.request_id,
    )


def _here(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _heading(status: int) -> str:
    if status >= 500:
        return say("page.error.server")
    return say(f"page.error.{status}" if status in (401, 403, 404) else "page.error.other")


def _advice(reader: Reader | None) -> str:
    return say("page.not_yours" if reader and reader.clinical else "page.no_patients")


def _actions(problem: Problem, reader: Reader | None) -> list[Action]:
    if problem.status == 401:
        return [Action("/sign-in", say("page.sign_in"))]
    if reader and not reader.clinical:
        start = _start(reader)
        return [*([start] if start else []), Action("/versions", say("page.versions"))]
    return [Action("/", say("page.to_worklist"))]


def _start(reader: Reader | None) -> Action | None:
    """The first page of the menu of somebody who sees no patients."""
    if reader is None or reader.clinical:
        return None
    first = next((places[0] for places in reader.menu.values()), None)
    return Action(first.href, say(f"admin.nav.{first.here}")) if first else None
