"""Pages that hold two versions against each other on the same studies."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.api import compared, comparing
from services.api.auth import Caller, Signed
from services.api.compared import Window
from services.api.comparing import Wanted
from services.api.gateway import of
from services.api.problems import request_id
from services.api.routes import comparisons
from services.api.routes.comparisons import Skip
from services.api.routes.jobs import JobFilter
from services.api.web.forms import tried
from services.api.web.reader import Reader
from services.api.web.render import page
from services.api.web.shown import ShownVersion, shown_versions
from shared.errors import ThoracleError

router = APIRouter(include_in_schema=False)

_ROWS, _EARLIER = 25, 20


@router.get("/comparisons")
async def listed(request: Request, caller: Signed) -> Response:
    """The form, and what was compared before."""
    return await _form(request, caller)


@router.post("/comparisons")
async def create(
    request: Request,
    caller: Signed,
    first: Annotated[str, Form(max_length=64)] = "",
    second: Annotated[str, Form(max_length=64)] = "",
    since: Annotated[str, Form(max_length=32)] = "",
) -> Response:
    """Begin, and go to where it is shown; what is wrong is said above the form."""
    wanted = Wanted(first=first, second=second, from_=_since(since))
    made = await tried(lambda: comparing.begin(of(request), caller, wanted, None, request_id(request)))
    if isinstance(made, ThoracleError):
        return await _form(request, caller, made)
    return RedirectResponse(f"/comparisons/{made}", status_code=303)


@router.get("/comparisons/{comparison_id}")
async def one(
    request: Request,
    caller: Signed,
    comparison_id: UUID,
    skip: Skip = 0,
    flipped: Annotated[bool, Query()] = False,
) -> Response:
    """The figures, and the cases side by side."""
    shown = await comparisons.read(request, caller, comparison_id, Window(skip, _ROWS, flipped))
    further = shown.skipped + len(shown.cases)
    flips = shown.agreement.flips
    of_all = flips.to_flagged + flips.to_not_flagged if flipped else shown.agreement.n
    older = f"/comparisons/{comparison_id}?skip={further}&flipped={str(flipped).lower()}"
    return page(
        "comparison.html",
        reader=Reader.of(caller),
        shown=shown,
        flipped=flipped,
        older=older if further < of_all else None,
    )


async def _form(request: Request, caller: Caller, problem: ThoracleError | None = None) -> Response:
    gateway = of(request)
    versions = _comparable(await shown_versions(gateway, caller.tenant_id))
    earlier = await compared.heads(gateway, caller, None, _EARLIER)
    return page(
        "comparisons.html",
        problem.status if problem else 200,
        reader=Reader.of(caller),
        versions=versions,
        earlier=earlier,
        problem=problem.detail if problem else None,
    )


def _comparable(versions: list[ShownVersion]) -> list[ShownVersion]:
    """Those that may answer and that another one can be held against."""
    may = [one for one in versions if one.status != "recalled"]
    kinds = Counter((one.card.modality, one.card.finding) for one in may)
    return [one for one in may if kinds[one.card.modality, one.card.finding] > 1]


def _since(day: str) -> JobFilter:
    """Studies since a day (UTC); all of them for what is no day."""
    try:
        after = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    except ValueError:
        return JobFilter.model_validate({})
    return JobFilter.model_validate({"created_after": after})
