"""Finds batches that have ended, for those who want to be told."""

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.statements import batch_ends

_AT_ONCE = 20


async def look(engine: AsyncEngine) -> None:
    """Look at what is due; the database tells webhooks in the transaction that finds the end."""
    async with engine.begin() as connection:
        await connection.execute(batch_ends.look(_AT_ONCE))
