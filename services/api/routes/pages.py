"""The pages, rendered on the server from the same views as the API's answers."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response

from services.api import explaining, reading
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.problems import request_id
from services.api.routes import (
    admin,
    batch_pages,
    comparison_pages,
    feedback,
    judging_pages,
    language,
    page_actions,
    sign_in,
    static,
)
from services.api.web import filters
from services.api.web.problem import problem_page
from services.api.web.reader import Reader
from services.api.web.render import page
from services.api.web.shown import find_version, shown_versions
from services.api.web.worklist import worklist
from shared.db.statements.wanted import Wanted
from shared.schemas import JobView

router = APIRouter(include_in_schema=False)

_EARLIER = 6


def install(app: FastAPI) -> None:
    """Hang the pages' own parts into the application: sign-in, actions, administration, files, problems as pages."""
    app.state.problem_page = problem_page
    own = (sign_in, language, page_actions, batch_pages, comparison_pages, judging_pages, static)
    for part in (*(module.router for module in own), *admin.ROUTERS):
        app.include_router(part)


@router.get("/")
async def home(request: Request, caller: Signed) -> Response:
    """The tenant's studies, the latest or those that were chosen, and where to send one."""
    return await worklist(request, caller, filters.chosen(request.query_params))


@router.get("/jobs/{job_id}")
async def job(request: Request, caller: Signed, job_id: UUID) -> Response:
    """One study: where it is, then its result."""
    gateway = of(request)
    view = (await reading.job(gateway, caller, job_id, request_id(request))).view
    known = await _known(request, caller, view) if view.result else {}
    return page("job.html", reader=Reader.of(caller), job=view, **known)


@router.get("/versions")
async def versions(request: Request, caller: Signed) -> Response:
    """Every version, by modality."""
    shown = await shown_versions(of(request), caller.tenant_id)
    return page("versions.html", reader=Reader.of(caller), versions=shown)


@router.get("/versions/{sha256}")
async def version(request: Request, caller: Signed, sha256: str) -> Response:
    """The card of one version."""
    shown = await find_version(of(request), caller.tenant_id, sha256)
    return page("version.html", reader=Reader.of(caller), version=shown)


async def _known(request: Request, caller: Caller, view: JobView) -> dict[str, Any]:
    """What stands beside a result: version, what moved the score, what readers said, the patient's earlier studies."""
    assert view.result is not None
    gateway, earlier = of(request), list[JobView]()
    if view.subject_id:
        same = Wanted(subject_id=view.subject_id, before=view.id)
        earlier, _ = await reading.page(gateway, caller, same, _EARLIER, request_id(request))
    return {
        "version": await find_version(gateway, caller.tenant_id, view.result.version.sha256),
        "why": await explaining.look(gateway, caller, view.id),
        "said": (await feedback.of_job(request, caller, view.id)).feedback,
        "earlier": earlier,
    }
