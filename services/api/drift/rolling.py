"""Counts what ended, and looks whether it drifted. Every gateway tries; the watermark's lock lets one of them."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.drift import judging
from shared.db.statements import rollups
from shared.faults import fault
from shared.settings import Settings


class Rolling:
    """Steps of a few thousand jobs, a transaction each, so that nobody waits for it and a kill loses nothing."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings, self._engine = settings, engine
        self._looked = False  # a gateway before this one may have died between counting and looking

    async def turn(self) -> None:
        """Count, and look where anything was counted."""
        if await self.roll() or not self._looked:
            await self.look()
            self._looked = True

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
            counted = int((await connection.scalar(step)) or 0)
            fault("roll.counted")
            return counted
