"""How a run tells the database about itself while it trains, and hears that it shall stop."""

import threading
import time
from typing import Any

import structlog

from services.trainer.runs import Held, RunLost, Runs
from services.trainer.train import Progress
from shared.db.lease import AWAY

_EVERY_S = 1.0
_log = structlog.get_logger()


class RunStopped(Exception):
    """The trainer was asked to end; the run is to be given back."""


class Teller:
    """A listener for `train`. Raises RunLost or RunStopped at the next epoch or file, and so ends the training."""

    def __init__(self, runs: Runs, held: Held, stopping: threading.Event) -> None:
        self._runs, self._held, self._stopping = runs, held, stopping
        self._points: list[dict[str, Any]] = []
        self._position, self._due, self._latest = 0, 0.0, Progress("", 0, 0)

    def __call__(self, progress: Progress) -> None:
        """Note an epoch; write about once a second, and at once when a stage begins."""
        if self._held.lost.is_set():
            raise RunLost
        if self._stopping.is_set():
            raise RunStopped
        if progress.epoch is not None:
            self._points.append(self._point(progress))
        before, self._latest = self._latest, progress
        if progress.stage != before.stage or time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet. A database that is away gets it later: training goes on."""
        self._due = time.monotonic() + _EVERY_S
        try:
            self._runs.tell(self._held, self._latest, self._points)
            self._points = []
        except AWAY as error:
            _log.warning("progress_not_written", run=str(self._held.id), error=type(error).__name__)

    def _point(self, progress: Progress) -> dict[str, Any]:
        epoch = progress.epoch
        assert epoch is not None
        self._position += 1
        names = ("loss", "accuracy", "tp", "fp", "tn", "fn", "seconds")
        values = {name: getattr(epoch, name) for name in names}
        return {"position": self._position, "stage": progress.stage, "epoch": epoch.number, **values}
