"""The drift board: alerts first, then every version that answered against its first results."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.api.auth import Signed
from services.api.drift import board as boards
from services.api.drift import verdicts
from services.api.drift.board import Wanted
from services.api.gateway import of
from services.api.routes import drift
from services.api.web import drift_charts
from services.api.web.reader import Reader
from services.api.web.render import page
from shared.errors import Conflict
from shared.schemas import Modality

router = APIRouter(include_in_schema=False)

_DAYS = (1, 7, 30, 90)
_KINDS = {str(modality): modality for modality in Modality}
Note = Annotated[str, Form(max_length=500)]


@router.get("/admin/drift")
async def overview(
    request: Request,
    caller: Signed,
    modality: str = "",
    site: drift.Place = "",
    device: drift.Place = "",
    days: Annotated[int, Query(ge=1, le=365)] = 7,
    done: str = "",
) -> Response:
    """What the API's board and series say, drawn."""
    gateway = of(request)
    wanted = Wanted(caller.tenant_id, days, _KINDS.get(modality), site, device)
    async with gateway.begin() as session:
        found = await boards.watched(session, gateway.settings, wanted)
        board = await boards.board(session, gateway.settings, wanted, found)
    going = boards.series(gateway.settings, wanted, found)
    return page(
        "admin/drift.html",
        reader=Reader.of(caller),
        board=board,
        bias=going.note,
        fewest=verdicts.FEWEST,
        versions=list(zip(board.versions, going.lines, strict=True)),
        modality=modality if modality in _KINDS else "",
        spans=sorted({*_DAYS, days}),
        first=gateway.settings.drift_reference,
        limits=(gateway.settings.drift_raise, gateway.settings.drift_clear),
        charts=drift_charts,
        done=done if done in ("acknowledged", "over") else None,
    )


@router.post("/admin/alerts/{alert_id}")
async def acknowledge(request: Request, caller: Signed, alert_id: UUID, note: Note = "") -> Response:
    """Say that it was seen, or show that somebody else has."""
    done = "acknowledged"
    try:
        async with of(request).begin() as session:
            await drift.acknowledged(session, request, caller, alert_id, note.strip() or None)
    except Conflict:
        done = "over"
    return RedirectResponse(f"/admin/drift?done={done}", status_code=303)
