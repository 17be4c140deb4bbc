"""Pages of those who look after the service, one file a page; each does what the API's route of the same name does."""

from services.api.routes.admin import (
    audit,
    deployments,
    drift,
    keys,
    retraining,
    start,
    system,
    training,
    versions,
    webhooks,
)

ROUTERS = (
    start.router,
    deployments.router,
    versions.router,
    training.router,
    retraining.router,
    drift.router,
    system.router,
    webhooks.router,
    keys.router,
    audit.router,
)
