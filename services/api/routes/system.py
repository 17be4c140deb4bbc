"""The state of the service as a whole: engines, queues, workers and what they hold, what ended lately."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Signed
from services.api.gateway import of
from services.api.routes import health
from services.api.routes.health import Ready
from shared.db.statements import system as statements
from shared.db.statements import versions, waiting
from shared.db.tables import PRIORITY_RANK
from shared.schemas import Modality, Priority

router = APIRouter(tags=["system"])

_CLASSES = {rank: Priority(name) for name, rank in PRIORITY_RANK.items()}


class Queue(BaseModel):
    """What waits of one modality and class, of all hospitals together."""

    modality: Modality
    priority: Priority
    waiting: int
    oldest_s: float = Field(description="How long the oldest of them waits")


class Loaded(BaseModel):
    """A version in the memory of a worker; `name` is absent when its row is gone."""

    sha256: str
    name: str | None


class Refused(Loaded):
    """A version that a worker will not load, and why: its files or answers are not those that were published."""

    why: str


class WorkerView(BaseModel):
    """A worker or trainer that wrote its row in the last hour. Not alive: it stopped without saying so."""

    name: str = Field(description="host:pid")
    kind: Literal["worker", "trainer"]
    alive: bool
    modalities: list[str]
    loaded: list[Loaded]
    refused: list[Refused]
    memory_mb: float | None
    started_at: datetime
    seen_at: datetime


class Throughput(BaseModel):
    """What ended of one modality in the last hour (of all, the latest 20,000), `since` the first of them."""

    modality: Modality
    ended: int
    succeeded: int
    rejected: int
    failed: int
    since: datetime
    per_minute: float


class Dead(BaseModel):
    """Your hospital's jobs that were given up and that nobody tried again."""

    modality: Modality
    code: str | None
    jobs: int
    latest: datetime | None


class System(BaseModel):
    """Everything at one moment."""

    engines: Ready
    queues: list[Queue]
    held: dict[Modality, int] = Field(description="Jobs that a worker has in hand")
    workers: list[WorkerView]
    throughput: list[Throughput]
    dead: list[Dead]


@router.get("/v1/system", summary="State of the service: engines, queues, workers, throughput")
async def system(request: Request, caller: Signed) -> System:
    """Counts alone, of all hospitals together; dead jobs are your hospital's."""
    gateway, engines = of(request), await health.ready(request, Response())
    async with gateway.begin() as session:
        rows = (await session.execute(statements.workers(gateway.settings.lease_s))).all()
        names = await _names(session, rows)
        counted = await _counted(session, caller.tenant_id)
    return System(engines=engines, workers=[_worker(row, names) for row in rows], **counted)


async def _counted(session: AsyncSession, tenant: UUID) -> dict[str, Any]:
    await session.execute(waiting.by_index())
    queues = [_queue(row) for row in await session.execute(statements.queues())]
    held = {row.modality: row.held for row in await session.execute(statements.held())}
    ended = [_throughput(row) for row in await session.execute(statements.ended())]
    dead = [Dead.model_validate(row, from_attributes=True) for row in await session.execute(statements.dead(tenant))]
    return {"queues": queues, "held": held, "throughput": ended, "dead": dead}


async def _names(session: AsyncSession, rows: Sequence[Row[Any]]) -> dict[str, str]:
    known = {sha256 for row in rows for part in ("loaded", "refused") for sha256 in row.report.get(part, ())}
    return {row.sha256: f"{row.recipe} {row.name}" for row in await session.execute(versions.called(sorted(known)))}


def _queue(row: Row[Any]) -> Queue:
    return Queue(
        modality=row.modality, priority=_CLASSES[row.priority], waiting=row.waiting, oldest_s=max(row.oldest_s, 0.0)
    )


def _throughput(row: Row[Any]) -> Throughput:
    counts = {name: getattr(row, name) for name in ("modality", "ended", "succeeded", "rejected", "failed", "since")}
    return Throughput(per_minute=round(60 * row.ended / max(row.seconds, 60.0), 2), **counts)


def _worker(row: Row[Any], names: dict[str, str]) -> WorkerView:
    report: dict[str, Any] = row.report
    return WorkerView(
        name=f"{row.host}:{row.pid}",
        kind="trainer" if row.trains else "worker",
        alive=row.alive,
        modalities=row.modalities,
        loaded=[Loaded(sha256=one, name=names.get(one)) for one in report.get("loaded", ())],
        refused=[Refused(sha256=one, name=names.get(one), why=why) for one, why in report.get("refused", {}).items()],
        memory_mb=report.get("resident_mb"),
        started_at=row.started_at,
        seen_at=row.seen_at,
    )
