"""Counts what ended, and looks whether it drifted. Every gateway tries; the watermark's lock lets one of them."""

import asyncio
import contextlib

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.drift import judging
from shared.db.statements import rollups
from shared.settings import Settings

_log = structlog.get_logger()


class Rolling:
    """Steps of a few thousand jobs, a transaction each, so that nobody waits for it and a kill loses nothing."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings, self._engine = settings, engine
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._repeat(), name="rolling")

    async def stop(self) -> None:
        """Stop; a step that is half done is undone by the database."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def roll(self, most: int = rollups.STEP) -> int:
        """Count everything that has ended; how many. None when another gateway counts."""
        counted = 0
        while step := await self._step(most):
            counted += step
            await asyncio.sleep(0)
        return counted

    async def look(self) -> int:
        """Raise and clear alerts; how many were raised."""
        async with self._engine.begin() as connection:
            if (await connection.execute(rollups.mark())).first() is None:
                return 0
            return await judging.look(connection, self._settings)

    async def _step(self, most: int) -> int:
        async with self._engine.begin() as connection:
            mark = (await connection.execute(rollups.mark())).first()
            if mark is None:
                return 0
            width, first = self._settings.drift_rollup_s, self._settings.drift_reference
            step = rollups.roll(mark.ended_in, mark.job_id, width=width, first=first, most=most)
            return int((await connection.scalar(step)) or 0)

    async def _repeat(self) -> None:
        looked = False  # a gateway before this one may have died between the two
        while True:
            try:
                if await self.roll() or not looked:
                    await self.look()
                    looked = True
            except (SQLAlchemyError, OSError) as error:
                _log.warning("rolling_failed", error=type(error).__name__)
            await asyncio.sleep(self._settings.drift_every_s)
