"""What a gateway tidies now and then: rows that nobody needs any more. Several gateways may do so at once."""

import asyncio
import contextlib

import structlog
from sqlalchemy import TextClause
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.statements import rollups, submissions, webhooks
from shared.settings import Settings

_EVERY_S = 600.0
_AT_ONCE = 5000
_DELIVERY_DAYS = 30
_ROLLUP_DAYS = 14  # alerts look back two windows, the board two days; older rollups are of a day
_log = structlog.get_logger()


class Upkeep:
    """Deletes old rows in small transactions, so that it is in nobody's way."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings, self._engine = settings, engine
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._repeat(), name="upkeep")

    async def stop(self) -> None:
        """Stop; what is half done is undone by the database."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def tidy(self) -> int:
        """Forget keys too old to be used, deliveries that nobody asks about, rollups of old hours; how many."""
        keys = await self._delete(submissions.forget(self._settings.idempotency_hours, _AT_ONCE))
        told = await self._delete(webhooks.forget(_DELIVERY_DAYS, _AT_ONCE))
        return keys + told + await self._delete(rollups.forget(_ROLLUP_DAYS, _AT_ONCE))

    async def _delete(self, statement: TextClause) -> int:
        deleted = 0
        while True:
            async with self._engine.begin() as connection:
                count = (await connection.execute(statement)).rowcount
            deleted += count
            if count < _AT_ONCE:
                return deleted

    async def _repeat(self) -> None:
        while True:
            try:
                await self.tidy()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("upkeep_failed", error=type(error).__name__)
            await asyncio.sleep(_EVERY_S)
