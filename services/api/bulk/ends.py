"""Finds batches that have ended, for those who want to be told. Several gateways may look at once."""

import asyncio
import contextlib

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.statements import batch_ends

_LOOK_S = 1.0
_AT_ONCE = 20
_log = structlog.get_logger()


class Ends:
    """Looks at what is due; the database tells webhooks in the transaction that finds the end."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._repeat(), name="batch-ends")

    async def stop(self) -> None:
        """Stop; what is half done is undone by the database."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                async with self._engine.begin() as connection:
                    await connection.execute(batch_ends.look(_AT_ONCE))
            except (SQLAlchemyError, OSError) as error:
                _log.warning("batch_ends_not_looked_for", error=type(error).__name__)
