"""The worklist page, which also comes back when a file was refused."""

from fastapi import Request, Response

from services.api import reading
from services.api.auth import Caller
from services.api.gateway import of
from services.api.prefer import etag_of
from services.api.problems import request_id
from services.api.routes import job_states
from services.api.web import filters
from services.api.web.reader import Reader
from services.api.web.render import RECORDING_HEADERS, page
from shared.schemas import TERMINAL, JobView

_ROWS = 25


async def worklist(
    request: Request,
    caller: Caller,
    chosen: filters.Chosen = filters.NONE,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    """The tenant's jobs, newest first, beside the form; `problem` stands above the form."""
    gateway = of(request)
    jobs, following = await reading.page(gateway, caller, chosen.wanted, _ROWS, request_id(request))
    return page(
        "worklist.html",
        status,
        RECORDING_HEADERS,
        reader=Reader.of(caller),
        jobs=jobs,
        busy=any(job.status not in TERMINAL for job in jobs),
        poll="/v1/jobs/states?" + "&".join(f"id={job.id}" for job in jobs) if jobs else None,
        etag=await _etag(request, caller, jobs) if jobs else "",
        chosen=chosen,
        filters=filters,
        older=chosen.address(cursor=following) if following else None,
        is_latest=chosen.wanted.before is None,
        problem=problem,
        limit_mb=gateway.settings.max_upload_mb,
    )


async def _etag(request: Request, caller: Caller, jobs: list[JobView]) -> str:
    """What the page's first question about these jobs need not answer, unless something has changed meanwhile."""
    found = await job_states.look(of(request), caller.tenant_id, [job.id for job in jobs])
    found = found.model_copy(update={"states": {job.id: job.status for job in jobs}})
    return etag_of(found.model_dump_json().encode())
