"""Drift and performance in service: the board, its series, and alerts. Each hospital sees its own results only."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, moves, replies
from services.api.auth import Caller, Signed
from services.api.drift import board as boards
from services.api.drift.board import Wanted
from services.api.drift.views import AlertPage, AlertView, Board, Series
from services.api.gateway import of
from services.api.moves import Body, Name, Reason
from services.api.paging import After, Limit, paged
from services.api.problems import request_id
from shared.db.statements import audit
from shared.db.statements import drift as statements
from shared.errors import BadRequest, Conflict, NotFound
from shared.schemas import Modality

router = APIRouter(tags=["drift"])

Place = Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


class BoardFilter(Body):
    """Which results in service are meant; an empty site or device stands for all of them."""

    modality: Modality | None = None
    site: Place = ""
    device: Place = ""
    version: Name | None = Field(None, description="sha256 or name; needs `modality`")
    days: int = Field(7, ge=1, le=365)

    async def wanted(self, session: AsyncSession, caller: Caller) -> Wanted:
        """The same with the version that is meant. Raises BadRequest, Unprocessable."""
        named = None
        if self.version is not None:
            if self.modality is None:
                raise BadRequest(detail="A version's name needs 'modality' beside it.")
            named = (await moves.named(session, self.modality, self.version)).id
        return Wanted(caller.tenant_id, self.days, self.modality, self.site, self.device, named)


class SeriesFilter(BoardFilter):
    """The same, as it went."""

    days: int = Field(30, ge=1, le=365)


class Acknowledgement(Body):
    """What the person who has seen it makes of it."""

    note: Reason | None = Field(None, description="Kept with the alert")


@router.get("/v1/drift", summary="How versions do in service", responses=replies.errors(400, 422))
async def board(request: Request, caller: Signed, chosen: Annotated[BoardFilter, Query()]) -> Board:
    """Scores, inputs and outcomes of each version against its first results; open alerts; what verdicts say."""
    gateway = of(request)
    async with gateway.begin() as session:
        wanted = await chosen.wanted(session, caller)
        found = await boards.watched(session, gateway.settings, wanted)
        return await boards.board(session, gateway.settings, wanted, found)


@router.get("/v1/drift/series", summary="The same over time", responses=replies.errors(400, 422))
async def series(request: Request, caller: Signed, chosen: Annotated[SeriesFilter, Query()]) -> Series:
    """A point for each day; for each rollup where two days or less are asked for."""
    gateway = of(request)
    async with gateway.begin() as session:
        wanted = await chosen.wanted(session, caller)
        return boards.series(gateway.settings, wanted, await boards.watched(session, gateway.settings, wanted))


@router.get("/v1/alerts", summary="Drift alerts", responses=replies.errors(400, 422))
async def alerts(
    request: Request,
    caller: Signed,
    state: Annotated[Literal["open", "cleared"] | None, Query(description="Both when left out")] = None,
    limit: Limit = 50,
    after: After = None,
) -> AlertPage:
    """Newest first. An open alert is raised or acknowledged; it clears by itself when its measure is back."""
    is_open = None if state is None else state == "open"
    before = cursor.to_uuid(after)
    statement = statements.alerts(caller.tenant_id, is_open=is_open, before=before, limit=limit + 1)
    async with of(request).begin() as session:
        rows = (await session.execute(statement)).all()
    found, following = paged(rows, limit, lambda row: row[0].id)
    return AlertPage(alerts=[boards.alert_view(row) for row in found], next=following)


@router.post(
    "/v1/alerts/{alert_id}/acknowledge",
    summary="Say that an alert was seen",
    responses=replies.errors(404, 409, 422),
)
async def acknowledge(request: Request, caller: Signed, alert_id: UUID, body: Acknowledgement) -> AlertView:
    """It stays open until its measure is back, but no longer holds the promotion of another version."""
    async with of(request).begin() as session:
        return await acknowledged(session, request, caller, alert_id, body.note)


async def acknowledged(
    session: AsyncSession, request: Request, caller: Caller, alert_id: UUID, note: str | None
) -> AlertView:
    """Acknowledge an alert, for the route and the page. Raises NotFound, Conflict."""
    one = statements.alert(caller.tenant_id, alert_id)
    done = (
        await session.execute(statements.acknowledge(caller.tenant_id, alert_id, caller.principal_id, note))
    ).first()
    row = (await session.execute(one)).first()
    if row is None:
        raise NotFound
    if done is None:
        raise Conflict("alert_over")
    await session.execute(audit.event(caller, "alert.acknowledge", "alert", str(alert_id), request_id(request)))
    return boards.alert_view(row)
