"""The state of the service as a page that follows by itself."""

from fastapi import APIRouter, Request, Response

from services.api.auth import Signed
from services.api.routes import system
from services.api.web.reader import Reader
from services.api.web.render import page

router = APIRouter(include_in_schema=False)


@router.get("/admin/system")
async def state(request: Request, caller: Signed) -> Response:
    """Engines, queues, workers, throughput, dead jobs."""
    found = await system.system(request, caller)
    served = {modality for worker in found.workers if worker.alive for modality in worker.modalities}
    refused = {one.sha256: one for worker in found.workers if worker.alive for one in worker.refused}
    reader, refusals = Reader.of(caller), list(refused.values())
    return page("admin/system.html", reader=reader, system=found, served=served, refused=refusals)
