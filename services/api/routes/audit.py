"""The audit log of a tenant: who read or changed what, and when."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel

from services.api import cursor, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.paging import After, Text, paged
from services.api.problems import request_id
from shared.db.statements import audit

router = APIRouter(tags=["audit"])


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
async def listed(
    request: Request,
    caller: Signed,
    action: Annotated[Text | None, Query(description="Whole, or a beginning that ends with a point: `job.`")] = None,
    object_id: Annotated[Text | None, Query()] = None,
    actor: Annotated[Text | None, Query(description="Name of whoever acted")] = None,
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: After = None,
) -> AuditPage:
    """Looking at the log is itself a line of it."""
    asked = audit.Asked(action, object_id, actor, since, until)
    statement = audit.page(caller.tenant_id, asked, cursor.to_int(after), limit + 1)
    async with of(request).begin() as session:
        rows = (await session.execute(statement)).all()
        await session.execute(audit.event(caller, "audit.read", "audit", None, request_id(request)))
    found, following = paged(rows, limit, lambda row: row[0].id)
    events = [
        AuditView(
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
        for event, name in found
    ]
    return AuditPage(events=events, next=following)
