"""`python -m services.worker`: one worker process on Celery's solo pool."""

from shared.settings import Settings, set_process_environment

# Before numpy is imported: children and parent share the cores on purpose, one thread each outside the forward pass.
set_process_environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMBA_NUM_THREADS="1")


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    from services.worker.parts import Parts
    from services.worker.tasks import register
    from shared.queue import celery_app, queue_name
    from shared.telemetry import configure_logging

    settings = Settings()
    configure_logging(settings, "worker")
    app = celery_app(settings)
    parts = Parts(settings)
    register(app, parts)
    parts.start()
    queues = ",".join(queue_name(modality) for modality in settings.served)
    # prefork could not start the sandbox's children; solo keeps the straight line.
    app.worker_main(
        ["worker", "--pool=solo", f"--queues={queues}", "--without-gossip", "--without-mingle", "--without-heartbeat",
         "--loglevel=WARNING", f"--hostname={parts.worker_id}@%h"]
    )  # fmt: skip


if __name__ == "__main__":
    main()
