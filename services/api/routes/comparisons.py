"""Two versions on the same studies, side by side."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from services.api import compared, comparing, cursor, replies
from services.api.auth import Caller, Signed
from services.api.compared import ComparisonHead, ComparisonView, Window
from services.api.comparing import Wanted
from services.api.gateway import of
from services.api.idempotency import Key
from services.api.paging import After, paged
from services.api.problems import request_id
from shared.db.statements import audit

router = APIRouter(tags=["models"])

Skip = Annotated[int, Query(ge=0, le=1_000_000, description="Cases that you have already")]
Limit = Annotated[int, Query(ge=0, le=200, description="Most cases")]


class ComparisonPage(BaseModel):
    """Comparisons, newest first; `next` is the cursor of what follows."""

    comparisons: list[ComparisonHead]
    next: str | None


@router.post(
    "/v1/comparisons",
    status_code=202,
    response_model=ComparisonView,
    summary="Compare two versions on the same studies",
    responses=replies.errors(400, 409, 422, 429),
)
async def create(request: Request, caller: Signed, body: Wanted, key: Key = None) -> Response:
    """What a version has not answered yet is queued as bulk work; these jobs are no clinical results.

    Versions of one modality and finding. The same Idempotency-Key goes on with the comparison that it made.
    """
    gateway = of(request)
    comparison = await comparing.begin(gateway, caller, body, key, request_id(request))
    shown = await compared.view(gateway, caller, comparison, Window())
    return Response(shown.model_dump_json(), 202, {"Location": shown.links["self"]}, media_type="application/json")


@router.get("/v1/comparisons", summary="Your comparisons, newest first", responses=replies.errors(400, 422))
async def listed(
    request: Request, caller: Signed, limit: Annotated[int, Query(ge=1, le=50)] = 20, after: After = None
) -> ComparisonPage:
    """A page of the hospital's comparisons."""
    gateway = of(request)
    found = await compared.heads(gateway, caller, cursor.to_uuid(after), limit + 1)
    async with gateway.begin() as session:
        await session.execute(audit.event(caller, "comparison.list", "comparison", None, request_id(request)))
    shown, following = paged(found, limit, lambda head: head.id)
    return ComparisonPage(comparisons=list(shown), next=following)


@router.get(
    "/v1/comparisons/{comparison_id}",
    response_model=ComparisonView,
    summary="Flips, kappa, paired differences and the cases themselves",
    responses={304: {"description": "You hold it already"}, **replies.errors(404, 422)},
)
async def one(
    request: Request,
    caller: Signed,
    comparison_id: UUID,
    skip: Skip = 0,
    limit: Limit = 50,
    flipped: Annotated[bool, Query(description="Only cases whose decision changed sides")] = False,
) -> Response:
    """As far as both versions have answered; `done` when nothing of it waits any more."""
    return replies.represented(request, await read(request, caller, comparison_id, Window(skip, limit, flipped)))


async def read(request: Request, caller: Caller, comparison_id: UUID, window: Window) -> ComparisonView:
    """The same for a page. Raises NotFound."""
    gateway = of(request)
    shown = await compared.view(gateway, caller, comparison_id, window)
    await gateway.followed.read(caller, "comparison", comparison_id, request_id(request))
    return shown
