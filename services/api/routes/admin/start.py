"""Where those who look after the service start: what needs a person now, and who answers."""

from fastapi import APIRouter, Request, Response

from services.api.auth import Signed
from services.api.gateway import of
from services.api.routes import deployments
from services.api.web.reader import Reader
from services.api.web.render import page
from services.api.web.todo import tasks

router = APIRouter(include_in_schema=False)


@router.get("/admin")
async def start(request: Request, caller: Signed) -> Response:
    """Nothing here is more than a link away."""
    pointers = await deployments.listed(request, caller)
    found = await tasks(of(request), caller)
    return page("admin/start.html", reader=Reader.of(caller), tasks=found, deployments=pointers.deployments)
