"""`python -m services.worker`: one worker process on Celery's solo pool."""

import signal
from types import FrameType

from shared.settings import Settings, set_process_environment

# Before numpy is imported: children and parent share the cores on purpose, one thread each outside the forward pass.
set_process_environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMBA_NUM_THREADS="1")


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    from prometheus_client import start_http_server

    from services.worker.parts import Parts
    from services.worker.tasks import register
    from shared.faults import arm
    from shared.queue import celery_app, listen, queue_name
    from shared.telemetry import configure_logging

    settings = Settings()
    configure_logging(settings, "worker")
    arm(settings.fault)
    # Until Celery has its own handler, and through it when it ends: SystemExit, so that `finally` runs.
    signal.signal(signal.SIGTERM, _quit)
    app = celery_app(settings)
    parts = Parts(settings)
    try:
        register(app, parts)
        parts.start()
        if settings.worker_metrics_port:
            start_http_server(settings.worker_metrics_port, settings.host)
        listen(app, [queue_name(modality) for modality in settings.served], str(parts.worker_id))
    finally:
        parts.close()


def _quit(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
