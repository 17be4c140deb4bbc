"""Long polls without a thread or a connection each: one task looks for all waited-for jobs, while anybody waits."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from sqlalchemy import Select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.statements import jobs

Ended = Callable[[Sequence[UUID]], Select[UUID]]
_LOOK_S = 0.1
_PAUSE_S = 1.0
_MOST = 2000
_SPREAD = 8  # who began together is sent away over the last eighth of the time, not all at the same moment
_log = structlog.get_logger()


class Watcher:
    """Wakes whoever waits for a job (or a run, by another `ended`) when it has reached a terminal state."""

    def __init__(self, engine: AsyncEngine, ended: Ended = jobs.ended) -> None:
        self._engine, self._ended = engine, ended
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def wait(self, job_id: UUID, seconds: float) -> None:
        """Return when the job has ended, when the time is over, or when the gateway is about to stop."""
        if seconds <= 0 or self._closed or len(self._waiting) >= _MOST:
            return
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="watcher")
        try:
            async with asyncio.timeout(seconds * (1 - secrets.randbelow(1000) / 1000 / _SPREAD)):
                await event.wait()
        except TimeoutError:
            return
        finally:
            self._forget(job_id, event)

    def close(self) -> None:
        """Send everybody away; nobody waits any more."""
        self._closed = True
        self._ring(list(self._waiting))

    async def _look(self) -> None:
        while self._waiting:
            try:
                async with self._engine.connect() as connection:
                    ended = (await connection.scalars(self._ended(list(self._waiting)))).all()
                self._ring(ended)
                await asyncio.sleep(_LOOK_S)
            except (SQLAlchemyError, OSError) as error:
                # Whoever waits gets the open job when the time is over; the database may be back before that.
                _log.warning("watch_failed", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_S)

    def _ring(self, ended: Sequence[UUID]) -> None:
        for job_id in ended:
            for event in self._waiting.get(job_id, ()):
                event.set()

    def _forget(self, job_id: UUID, event: asyncio.Event) -> None:
        events = self._waiting[job_id]
        events.discard(event)
        if not events:
            del self._waiting[job_id]
