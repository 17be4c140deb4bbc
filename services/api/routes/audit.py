"""The audit log of a tenant: who read or changed what, and when."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from services.api import cursor, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.paging import Filter, Text, paged
from services.api.problems import request_id
from shared.db.statements import audit
from shared.db.tables import AuditEvent

router = APIRouter(tags=["audit"])


class AuditFilter(Filter):
    """Which events a page shows."""

    action: Text | None = Field(None, description="Whole, or a beginning that ends with a point: `job.`")
    object_id: Text | None = None
    actor: Text | None = Field(None, description="Name of whoever acted")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: int = Field(100, ge=1, le=500)


class AuditView(BaseModel):
    """One read or change."""

    id: int
    at: datetime
    actor: str | None
    principal: UUID | None
    credential: UUID | None
    action: str
    object_type: str
    object_id: str | None
    request_id: str | None


class AuditPage(BaseModel):
    """Events, newest first; `next` is the cursor of what follows."""

    events: list[AuditView]
    next: str | None


@router.get("/v1/audit", summary="Who read or changed what", responses=replies.errors(400, 422))
async def listed(request: Request, caller: Signed, chosen: Annotated[AuditFilter, Query()]) -> AuditPage:
    """Looking at the log is itself a line of it."""
    asked = audit.Asked(chosen.action, chosen.object_id, chosen.actor, chosen.since, chosen.until)
    statement = audit.page(caller.tenant_id, asked, cursor.to_int(chosen.cursor), chosen.limit + 1)
    async with of(request).begin() as session:
        rows = (await session.execute(statement)).all()
        await session.execute(audit.event(caller, "audit.read", "audit", None, request_id(request)))
    found, following = paged(rows, chosen.limit, lambda row: row[0].id)
    return AuditPage(events=[_view(event, name) for event, name in found], next=following)


def _view(event: AuditEvent, name: str | None) -> AuditView:
    return AuditView(
        id=event.id,
        at=event.at,
        actor=name,
        principal=event.principal_id,
        credential=event.credential_id,
        action=event.action,
        object_type=event.object_type,
        object_id=event.object_id,
        request_id=event.request_id,
    )
