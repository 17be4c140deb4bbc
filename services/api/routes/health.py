"""Liveness, readiness and metrics."""

import ipaddress
import tempfile
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Literal

import redis.asyncio
import structlog
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from services.api.auth import authenticate
from services.api.gateway import Gateway, of
from shared.db.migrate import is_current
from shared.db.statements import jobs, versions
from shared.errors import Forbidden
from shared.schemas import Role

router = APIRouter(tags=["health"])
_log = structlog.get_logger()


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether the gateway can accept work, and what it depends on."""

    status: Literal["ready", "unready"]
    database: bool
    schema_current: bool
    storage: bool
    queue: bool
    workers: dict[str, int]
    without_version: list[str] = Field(description="Modalities whose jobs wait: the version that answered was recalled")
    checked_at: datetime


@router.get("/health/live", summary="The process is alive; touches no engine")
async def live() -> Live:
    """Say so."""
    return Live()


@router.get(
    "/health/ready",
    summary="Whether work can be accepted",
    responses={503: {"model": Ready, "description": "Database, schema or storage is missing"}},
)
async def ready(request: Request, response: Response) -> Ready:
    """A queue or a worker that is away is reported, but accepted work is safe without them."""
    gateway = of(request)
    database, current, workers, without = await _database(gateway)
    storage = await to_thread.run_sync(_writable, gateway)
    fine = database and current and storage
    response.status_code = 200 if fine else 503
    return Ready(
        status="ready" if fine else "unready",
        database=database,
        schema_current=current,
        storage=storage,
        queue=await _queue(gateway),
        workers=workers,
        without_version=without,
        checked_at=datetime.now(UTC),
    )


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """For this machine itself, or for an administrator or auditor."""
    if not _local(request):
        caller = await authenticate(request)
        if not caller.may(Role.ADMIN, Role.AUDITOR):
            raise Forbidden
    return Response(generate_latest() + await _queue_gauges(of(request)), media_type=CONTENT_TYPE_LATEST)


async def _database(gateway: Gateway) -> tuple[bool, bool, dict[str, int], list[str]]:
    try:
        async with gateway.engine.connect() as connection:
            current = await connection.run_sync(lambda sync: is_current(sync.engine))
            if not current:
                return True, False, {}, []
            rows = await connection.execute(jobs.workers_alive())
            workers = {modality: count for modality, count in rows}  # noqa: C416 - rows are not tuples
            return True, True, workers, list(await connection.scalars(versions.without_active()))
    except (SQLAlchemyError, OSError) as error:
        _log.warning("database_unavailable", error=type(error).__name__)
        return False, False, {}, []


def _writable(gateway: Gateway) -> bool:
    try:
        gateway.settings.blob_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=gateway.settings.blob_dir) as probe:
            probe.write(b"ready")
            probe.flush()
    except OSError:
        return False
    return True


async def _queue(gateway: Gateway) -> bool:
    url = gateway.settings.redis_url.get_secret_value()
    try:
        async with redis.asyncio.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            answer = client.ping()
            return bool(await answer) if isinstance(answer, Awaitable) else answer
    except (RedisError, OSError, TimeoutError):
        return False


def _local(request: Request) -> bool:
    if {"forwarded", "x-forwarded-for"} & set(request.headers):
        return False  # a proxy on this machine speaks for somebody else
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _queue_gauges(gateway: Gateway) -> bytes:
    registry = CollectorRegistry()
    depth = Gauge("thoracle_queue_depth", "Jobs that wait", ["modality"], registry=registry)
    age = Gauge("thoracle_queue_oldest_seconds", "Age of the oldest job that waits", ["modality"], registry=registry)
    async with gateway.engine.connect() as connection:
        for modality, waiting, oldest in await connection.execute(jobs.queue_depth()):
            depth.labels(modality).set(waiting)
            age.labels(modality).set(oldest)
    return generate_latest(registry)
