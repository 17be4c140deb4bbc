"""Commits one group while the next one is predicted: a thread of its own, and the order in which it was told."""

import queue
import threading
from collections.abc import Callable

import structlog

from services.worker.claims import Claim

_AHEAD = 2  # groups that may wait for the database before the worker waits for it too
_log = structlog.get_logger()
Action = Callable[[], None]


class Writer:
    """One thread that writes. An action that fails loses its claim, and is told to whoever calls `check`."""

    def __init__(self) -> None:
        self._actions: queue.Queue[tuple[Claim, Action] | None] = queue.Queue(_AHEAD)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, claim: Claim, action: Action) -> None:
        """Do this after what was put before; waits while too much is waiting."""
        self._actions.put((claim, action))

    def flush(self) -> None:
        """Wait until everything that was put is done."""
        self._actions.join()

    def check(self) -> None:
        """Raise the error of an earlier action, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Do what was put, and stop."""
        self._actions.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._actions.get()) is not None:
            self._do(*item)
            self._actions.task_done()

    def _do(self, claim: Claim, action: Action) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - told to the engine, whose next step raises it
            # Nobody works on it any more, so that its lease runs out and its jobs are given back.
            claim.lost.set()
            self._error = error
            _log.error("group_not_written", claim=claim.id, error=type(error).__name__)
