"""The pages, rendered on the server from the same views as the API's answers."""

from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response

from services.api import cursor as cursors
from services.api import explaining, reading
from services.api.auth import Signed
from services.api.gateway import of
from services.api.problems import request_id
from services.api.routes import admin, feedback, judging_pages, language, page_actions, sign_in, static
from services.api.web.problem import problem_page
from services.api.web.reader import Reader
from services.api.web.render import page
from services.api.web.shown import find_version, shown_versions
from services.api.web.worklist import worklist
from shared.db.statements.jobs import Wanted

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Hang the pages' own parts into the application: sign-in, actions, administration, files, problems as pages."""
    app.state.problem_page = problem_page
    own = (sign_in.router, language.router, page_actions.router, judging_pages.router, static.router)
    for part in (*own, *admin.ROUTERS):
        app.include_router(part)


@router.get("/")
async def home(request: Request, caller: Signed, cursor: str | None = None) -> Response:
    """The tenant's latest studies, and where to send one."""
    return await worklist(request, caller, Wanted(before=cursors.to_uuid(cursor)))


@router.get("/jobs/{job_id}")
async def job(request: Request, caller: Signed, job_id: UUID) -> Response:
    """One study: where it is, then its result."""
    gateway = of(request)
    view = (await reading.job(gateway, caller, job_id, request_id(request))).view
    version = why = None
    if view.result:
        version = await find_version(gateway, caller.tenant_id, view.result.version.sha256)
        why = await explaining.look(gateway, caller, job_id)
    said = (await feedback.of_job(request, caller, job_id)).feedback if view.result else []
    return page("job.html", reader=Reader.of(caller), job=view, version=version, why=why, said=said)


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
