"""Who has a version warm: read from what workers and trainers write into their own rows."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import moves
from services.api.auth import Caller
from services.api.gateway import of
from services.api.problems import request_id
from services.api.views import version_ref
from shared import deployments
from shared.db.statements import audit, versions
from shared.db.tables import Version
from shared.errors import Conflict
from shared.schemas import Modality, VersionRef
from shared.sentences import say
from shared.settings import Settings

T = TypeVar("T")
State = Literal["warm", "loading", "refused"]
_LOOK_S = 0.1  # between two looks at whether workers are ready


class Standing(BaseModel):
    """One worker, or one trainer where no worker serves the modality."""

    worker: str = Field(description="host:pid")
    state: State
    detail: str | None = Field(None, description="Why it refused the version")


class Preparation(BaseModel):
    """Who has a version loaded, verified, proven on its golden samples and warm.

    `proved_by`: the live workers that serve the modality; a trainer where there are none; nobody without either.
    """

    version: VersionRef
    proved_by: Literal["workers", "trainer", "nobody"]
    ready: bool
    standings: list[Standing]

    def require(self) -> None:
        """Raise NotPrepared while somebody still loads it, VersionRefused when somebody will not have it."""
        self.require_nobody_refuses()
        if not self.ready:
            raise NotPrepared([standing for standing in self.standings if standing.state == "loading"])

    def require_nobody_refuses(self) -> None:
        """Raise VersionRefused."""
        refused = [standing for standing in self.standings if standing.state == "refused"]
        if refused:
            raise VersionRefused(refused)

    @property
    def evidence(self) -> dict[str, Any]:
        """What the history keeps."""
        by_state = {state: [s.worker for s in self.standings if s.state == state] for state in ("warm", "loading")}
        return {"proved_by": self.proved_by, "warm": by_state["warm"], "not_warm": by_state["loading"]}


class NotPrepared(Conflict):
    """Some worker does not have the version warm yet; they have been told to load it."""

    code, retryable, retry_after_s = "not_prepared", True, 1

    def __init__(self, missing: list[Standing]) -> None:
        super().__init__()
        self.errors = [{"field": standing.worker, "detail": standing.state} for standing in missing]


class VersionRefused(Conflict):
    """A worker verified the version and will not load it: an altered file, or other answers to its golden samples."""

    code = "version_refused"

    def __init__(self, refused: list[Standing]) -> None:
        super().__init__(why=refused[0].detail)
        self.errors = [{"field": standing.worker, "detail": standing.detail or ""} for standing in refused]


async def preparation(session: AsyncSession, settings: Settings, modality: Modality, version: Version) -> Preparation:
    """Who has it warm now."""
    rows = (await session.execute(versions.provers(modality, settings.lease_s))).all()
    workers = [row for row in rows if row.serves]
    standings = [_standing(row, version.sha256) for row in workers or rows]
    ready = all(standing.state == "warm" for standing in standings)
    proved_by: Literal["workers", "trainer", "nobody"] = "workers" if workers else "trainer" if rows else "nobody"
    return Preparation(version=version_ref(version), proved_by=proved_by, ready=ready, standings=standings)


async def prepare(request: Request, caller: Caller, modality: Modality, name: str) -> None:
    """Tell workers to load a version, if they have not been told. Raises Unprocessable, Conflict."""
    async with of(request).begin() as session:
        version = await moves.named(session, modality, name)
        being = (await moves.read(session, caller, modality)).preparing
        if being is None or being.sha256 != version.sha256:
            await session.run_sync(lambda sync: deployments.prepare(sync, version))
            await session.execute(
                audit.event(caller, "deployment.prepare", "version", version.sha256, request_id(request))
            )


async def when_ready(
    request: Request, caller: Caller, modality: Modality, name: str, seconds: float, act: Callable[[], Awaitable[T]]
) -> T:
    """Act; while workers still load the version, tell them to and try again for so many seconds. Raises NotPrepared."""
    until = time.monotonic() + seconds
    while True:
        try:
            return await act()
        except NotPrepared:
            await prepare(request, caller, modality, name)
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(_LOOK_S)


def _standing(row: Row[*tuple[Any, ...]], sha256: str) -> Standing:
    name = f"{row.host}:{row.pid}"
    if sha256 in row.loaded:
        return Standing(worker=name, state="warm")
    if sha256 in row.refused:
        return Standing(worker=name, state="refused", detail=row.refused[sha256] or say("version_invalid"))
    return Standing(worker=name, state="loading")
