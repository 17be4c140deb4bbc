"""Counting and judging in the test's own process, as a gateway does now and then."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from services.api.drift.rolling import Rolling
from shared.db.engine import async_engine
from shared.settings import Settings


def rolled(settings: Settings, action: Callable[[Rolling], Coroutine[Any, Any, int]] = Rolling.roll) -> int:
    """Count everything that has ended, or do another thing of a Rolling."""

    async def run() -> int:
        engine = async_engine(settings)
        try:
            return await action(Rolling(settings, engine))
        finally:
            await engine.dispose()

    # In a thread of its own: the caller's may have a loop that runs, as a browser's tests have.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()


def looked(settings: Settings) -> int:
    """Count, then raise and clear alerts; how many were raised."""
    rolled(settings)
    return rolled(settings, Rolling.look)
