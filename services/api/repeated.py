"""What a gateway does again and again while it runs, each in a task of its own. No failure ends one."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

_log = structlog.get_logger()


class Repeated:
    """Calls `turn` at once and then every `every_s` seconds; more seldom where it would take more than `share` of them.

    Several gateways may do the same: each turn is right whoever else takes one meanwhile, and half of one is undone by
    the database.
    """

    def __init__(self, name: str, turn: Callable[[], Awaitable[object]], every_s: float, share: float = 1.0) -> None:
        self._name, self._turn, self._every_s, self._share = name, turn, every_s, share
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._repeat(), name=self._name)

    async def stop(self) -> None:
        """Stop, in the middle of a turn too."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _repeat(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._turn()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("turn_failed", task=self._name, error=type(error).__name__)
            except Exception:  # noqa: BLE001 — a task that has ended does nothing any more, and nobody sees it
                _log.exception("turn_broken", task=self._name)
            await asyncio.sleep(max(self._every_s, (time.monotonic() - begun) / self._share))
