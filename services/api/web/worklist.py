"""The worklist page, which also comes back when a file was refused."""

from fastapi import Request, Response

from services.api import cursor, reading
from services.api.auth import Caller
from services.api.gateway import of
from services.api.problems import request_id
from services.api.web.reader import Reader
from services.api.web.render import RECORDING_HEADERS, page
from shared.db.statements.jobs import Wanted
from shared.schemas import TERMINAL

_ROWS = 25


async def worklist(
    request: Request, caller: Caller, wanted: Wanted, problem: str | None = None, status: int = 200
) -> Response:
    """The tenant's jobs, newest first, beside the form; `problem` stands above the form."""
    gateway = of(request)
    jobs, more = await reading.page(gateway, caller, wanted, _ROWS, request_id(request))
    return page(
        "worklist.html",
        status,
        RECORDING_HEADERS,
        reader=Reader.of(caller),
        jobs=jobs,
        busy=any(job.status not in TERMINAL for job in jobs),
        older=f"/?cursor={cursor.encode(jobs[-1].id)}" if more else None,
        is_latest=wanted.before is None,
        problem=problem,
        limit_mb=gateway.settings.max_upload_mb,
    )
