"""Celery's part: one task that works until nothing waits, and word of a shutdown."""

from typing import Any

from celery import Celery, signals

from services.worker.parts import Parts
from shared.faults import fault
from shared.queue import WORK_TASK


def register(app: Celery, parts: Parts) -> None:
    """Give the application its task and its hooks."""

    @app.task(name=WORK_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def work() -> None:
        fault("worker.rung")
        parts.engine.drain()

    # On SIGTERM Celery sets `should_stop` to 0, which is false: our own event says it plainly, before the task returns.
    @signals.worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def stopping(**_: Any) -> None:
        parts.engine.stopping.set()
