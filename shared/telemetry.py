"""Logs without patient data, and the metrics of every service."""

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram

from shared.settings import Settings

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

JOBS_ACCEPTED = Counter("thoracle_jobs_accepted_total", "Jobs accepted", ["modality", "priority"])
JOBS_FINISHED = Counter("thoracle_jobs_finished_total", "Jobs that reached a terminal state", ["modality", "state"])
QUEUE_SECONDS = Histogram("thoracle_queue_seconds", "Acceptance to claim", ["modality"], buckets=_SECONDS)
PREPARE_SECONDS = Histogram("thoracle_prepare_seconds", "Decode and transform", ["modality"], buckets=_SECONDS)
PREDICT_SECONDS = Histogram("thoracle_predict_seconds", "One group's forward pass", ["modality"], buckets=_SECONDS)
GROUP_SIZE = Histogram("thoracle_group_size", "Inputs of one forward pass", ["modality"], buckets=(1, 2, 4, 8, 16, 32))
CHILDREN_LOST = Counter("thoracle_sandbox_children_lost_total", "Sandbox children that died", ["how"])
LEASES_LOST = Counter("thoracle_leases_lost_total", "Claims that the reaper took back")
STALE_COMMITS = Counter("thoracle_stale_commits_total", "Results discarded because the claim was no longer ours")
DEPLOYED = Gauge("thoracle_deployed_generation", "Generation of the deployment in use", ["modality"])
REQUEST_SECONDS = Histogram(
    "thoracle_request_seconds", "HTTP requests", ["method", "route", "status"], buckets=_SECONDS
)


def configure_logging(settings: Settings, service: str) -> None:
    """Structured logs on standard error: ids and codes, never field values, file names or exceptions' text."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(
        stream=sys.stderr, level=max(level, logging.WARNING), format="%(levelname)s %(name)s %(message)s"
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if settings.log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(service=service)
