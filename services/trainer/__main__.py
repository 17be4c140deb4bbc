"""`python -m services.trainer`: works training runs off, gently; Celery on its solo pool is the doorbell."""

import os
import signal
from types import FrameType

from shared.settings import Settings, set_process_environment

_GRACE_S = 10.0  # for the epoch that runs when SIGTERM comes; the rest is in the last kept one

# Before numpy is imported, and before there are threads: each inherits both.
set_process_environment(OMP_NUM_THREADS=str(Settings().trainer_threads))


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    settings = Settings()
    os.nice(max(0, settings.trainer_nice - os.nice(0)))  # here, since a thread inherits it from the one that starts it
    from services.trainer.process import Trainer
    from shared.faults import arm
    from shared.queue import TRAIN_TASK, TRAINING, celery_app, listen
    from shared.telemetry import configure_logging

    configure_logging(settings, "trainer")
    arm(settings.fault)
    # Until Celery has its own handler, and through it when it ends: SystemExit, so that `finally` runs.
    signal.signal(signal.SIGTERM, _quit)
    app = celery_app(settings)
    trainer = Trainer(settings)

    @app.task(name=TRAIN_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def ring() -> None:
        trainer.ring()

    try:
        trainer.start()
        listen(app, [TRAINING], str(trainer.worker_id))
    finally:
        if not trainer.close(_GRACE_S):
            os._exit(0)  # a thread within torch cannot be stopped in another way


def _quit(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
