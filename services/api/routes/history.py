"""Every move of a pointer, and which versions answered at a moment of the past."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, replies
from services.api.auth import Caller, Signed
from services.api.gateway import of
from services.api.paging import After, Limit, paged
from services.api.past import standing
from services.api.views import version_ref
from shared.db.statements import versions
from shared.db.tables import DeploymentEvent, Version
from shared.errors import NotFound
from shared.schemas import Modality, VersionRef

router = APIRouter(tags=["deployments"])

_POINTED = ("active", "canary", "shadow")


class Move(BaseModel):
    """One move of a pointer: `before` and `after` are the versions that `action` moved between."""

    generation: int
    action: str
    before: VersionRef | None
    after: VersionRef | None
    actor: str
    reason: str
    evidence: dict[str, Any] = Field(description="What the move rested on")
    at: datetime


class Then(BaseModel):
    """What answered at a moment of the past; nothing before the first move. `by` let the active version answer."""

    at: datetime
    active: VersionRef | None
    canary: VersionRef | None
    canary_share: float
    shadow: VersionRef | None
    generation: int
    by: Move | None


class History(BaseModel):
    """Moves, newest first."""

    moves: list[Move]
    next: str | None
    then: Then | None = Field(None, description="With `at`: which version answered then, and who let it")


@router.get(
    "/v1/deployments/{modality}/history",
    summary="Every move of a pointer, newest first",
    responses=replies.errors(400, 404, 422),
)
async def history(
    request: Request,
    caller: Signed,
    modality: Modality,
    limit: Limit = 50,
    after: After = None,
    at: Annotated[AwareDatetime | None, Query(description="Only what had happened by then")] = None,
) -> History:
    """Append-only: written in the transaction that moved the pointer."""
    statement = versions.history(caller.tenant_id, modality, cursor.to_int(after), limit + 1, at)
    async with of(request).begin() as session:
        rows = (await session.execute(statement)).all()
        then = await _then(session, caller, modality, at) if at is not None else None
    found, following = paged(rows, limit, lambda row: row[0].id)
    return History(moves=[_move(*row) for row in found], next=following, then=then)


def _move(event: DeploymentEvent, earlier: Version | None, later: Version | None) -> Move:
    return Move(
        generation=event.generation,
        action=event.action,
        before=version_ref(earlier) if earlier is not None else None,
        after=version_ref(later) if later is not None else None,
        actor=event.actor,
        reason=event.reason,
        evidence=event.evidence,
        at=event.at,
    )


async def _then(session: AsyncSession, caller: Caller, modality: Modality, at: datetime) -> Then:
    """The pointers as they were; a hospital's own deployment goes before everybody's. Raises NotFound."""
    row = (await session.execute(versions.deployments(caller.tenant_id, modality))).first()
    if row is None:
        raise NotFound("no_version")
    past = standing(await session.scalars(versions.moves(row[0].id, at)))
    ids = [past.active, past.canary, past.shadow, past.by.from_id if past.by else None]
    rows = await session.scalars(versions.among([found for found in ids if found]))
    known: dict[UUID | None, Version] = {row.id: row for row in rows}
    refs = [version_ref(known[found]) if found else None for found in ids[:3]]
    by = _move(past.by, known.get(past.by.from_id), known.get(past.by.to_id)) if past.by else None
    pointed = dict(zip(_POINTED, refs, strict=True))
    return Then(at=at, canary_share=past.share, generation=past.generation, by=by, **pointed)
