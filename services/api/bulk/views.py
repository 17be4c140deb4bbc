"""A batch as the API shows it: counts per state, the time left, refused items."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.bulk.filling import Receipt
from shared.db.statements import batches
from shared.db.tables import Batch, Version
from shared.errors import NotFound
from shared.schemas import TERMINAL, JobState, Modality, VersionRef
from shared.sentences import retold

_WINDOW_S = 60.0
MOST_ERRORS = 1000


class ItemError(BaseModel):
    """An item that made no job, and why."""

    line: int
    key: str
    code: str
    detail: str


class BatchView(BaseModel):
    """A batch with its counts as they are in one moment."""

    id: UUID
    client_ref: str | None
    created_at: datetime
    cancelled_at: datetime | None
    versions: dict[Modality, VersionRef] = Field(description="Pinned when the batch was accepted")
    jobs: int = Field(description="Jobs that it made")
    states: dict[JobState, int] = Field(description="Jobs by state; the sum is `jobs`")
    refused: int = Field(description="Items that made no job")
    readable: int = Field(description="Jobs whose outcome `results` gives by now")
    done: bool = Field(description="Every job has ended and can be read")
    seconds_left: float | None = Field(description="At the rate of the last minute; unknown when nothing ended in it")
    estimated_at: datetime | None
    errors: list[ItemError] = Field(description=f"The refused items, at most {MOST_ERRORS}, by line")
    links: dict[str, str]


class BatchReceipt(BatchView):
    """What one request did. Here `errors` are those of the request, all of them."""

    made: int = Field(description="Jobs that this request made")
    known: int = Field(description="Items that an earlier request had made")


class BatchPage(BaseModel):
    """Batches, newest first, without their errors; `next` is the cursor of what follows."""

    batches: list[BatchView]
    next: str | None


async def find(session: AsyncSession, tenant: UUID, batch: UUID) -> Batch:
    """A tenant's batch. Raises NotFound."""
    found = (await session.scalars(batches.one(tenant, batch))).one_or_none()
    if found is None:
        raise NotFound
    return found


async def views(session: AsyncSession, tenant: UUID, found: Sequence[Batch], base_url: str) -> list[BatchView]:
    """Batches with counts, without errors."""
    ids = [batch.id for batch in found]
    counts = (await session.execute(batches.counts(tenant, ids))).all()
    refused = {row[0]: row[1] for row in await session.execute(batches.refused(ids))}
    pins = {UUID(pin) for batch in found for pin in batch.pinned.values()}
    query = select(Version.id, Version.recipe, Version.name, Version.sha256).where(Version.id.in_(pins))
    versions = {
        row.id: VersionRef(recipe=row.recipe, name=row.name, sha256=row.sha256)
        for row in (await session.execute(query))
    }
    return [
        _view(batch, [row for row in counts if row.batch_id == batch.id], refused.get(batch.id, 0), versions, base_url)
        for batch in found
    ]


async def view(session: AsyncSession, tenant: UUID, batch: UUID, base_url: str) -> BatchView:
    """One batch with its errors. Raises NotFound."""
    shown = (await views(session, tenant, [await find(session, tenant, batch)], base_url))[0]
    rows = await session.scalars(batches.errors(batch, MOST_ERRORS))
    shown.errors = [
        ItemError(line=row.line, key=row.item, code=row.code, detail=retold(row.code, row.detail)) for row in rows
    ]
    return shown


def receipt_view(shown: BatchView, receipt: Receipt) -> BatchReceipt:
    """The batch with what a request did to it."""
    errors = [
        ItemError(line=one.number, key=one.key, code=one.problem.code, detail=one.problem.detail)
        for one in sorted(receipt.refused, key=lambda one: one.number)
    ]
    told = {**dict(shown), "errors": errors}
    return BatchReceipt(**told, made=receipt.made, known=receipt.known)


def _view(
    batch: Batch, counts: Sequence[Row[Any]], refused: int, versions: dict[UUID, VersionRef], base_url: str
) -> BatchView:
    states = {JobState(row.state): row.jobs for row in counts}
    waits = sum(count for state, count in states.items() if state not in TERMINAL)
    jobs, readable = sum(states.values()), sum(row.readable for row in counts)
    now = counts[0].now if counts else None
    left = (
        None
        if now is None
        else _seconds(waits, sum(r.drained for r in counts), (now - batch.created_at).total_seconds())
    )
    here = f"{base_url}/v1/batches/{batch.id}"
    return BatchView(
        id=batch.id,
        client_ref=batch.client_ref,
        created_at=batch.created_at,
        cancelled_at=batch.cancelled_at,
        versions={Modality(kind): versions[UUID(pin)] for kind, pin in batch.pinned.items()},
        jobs=jobs,
        states=states,
        refused=refused,
        readable=readable,
        done=not waits and readable == jobs,
        seconds_left=left,
        estimated_at=None if left is None or now is None else now + timedelta(seconds=left),
        errors=[],
        links={"self": here, "results": f"{here}/results", "cancel": here, "retry": f"{here}/retry"},
    )


def _seconds(waits: int, drained: int, age_s: float) -> float | None:
    """At the rate of the last minute, or of the batch's life if it is younger."""
    if not waits:
        return 0.0
    return round(waits * min(_WINDOW_S, max(age_s, 1.0)) / drained, 1) if drained else None
