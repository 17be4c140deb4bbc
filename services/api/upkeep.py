"""What a gateway tidies now and then: rows that nobody needs any more. Several gateways may do so at once."""

import structlog
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.statements import order, rollups, submissions, webhooks
from shared.settings import Settings

_AT_ONCE = 5000
_DELIVERY_DAYS = 30
_ROLLUP_DAYS = 14  # alerts look back two windows, the board two days; older rollups are of a day
_log = structlog.get_logger()


class Upkeep:
    """Deletes old rows in small transactions, so that it is in nobody's way."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings, self._engine = settings, engine

    async def look(self) -> None:
        """After a restore let the order of ends go on; then tidy."""
        await self._go_on()
        await self.tidy()

    async def tidy(self) -> int:
        """Forget keys too old to be used, deliveries that nobody asks about, rollups of old hours; how many."""
        keys = await self._delete(submissions.forget(self._settings.idempotency_hours, _AT_ONCE))
        told = await self._delete(webhooks.forget(_DELIVERY_DAYS, _AT_ONCE))
        return keys + told + await self._delete(rollups.forget(_ROLLUP_DAYS, _AT_ONCE))

    async def _go_on(self) -> None:
        """After a restore into another cluster what ends next has to come behind what was read."""
        async with self._engine.begin() as connection:
            if (await connection.execute(order.go_on())).rowcount:
                _log.warning("restored", did="the order of ends goes on")

    async def _delete(self, statement: TextClause) -> int:
        deleted = 0
        while True:
            async with self._engine.begin() as connection:
                count = (await connection.execute(statement)).rowcount
            deleted += count
            if count < _AT_ONCE:
                return deleted
