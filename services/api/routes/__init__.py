"""One file per part of the address space; each has a `router`. A route also needs a row in `services/api/roles.py`."""

from services.api.routes import (
    approvals,
    audit,
    batches,
    deployments,
    health,
    inputs,
    jobs,
    me,
    models,
    recalls,
    studies,
    submit,
    training,
    trial_reports,
    trials,
    webhooks,
)

ROUTERS = (
    submit.router,
    jobs.router,
    batches.router,
    inputs.router,
    studies.router,
    models.router,
    recalls.router,
    deployments.router,
    approvals.router,
    trials.router,
    trial_reports.router,
    training.router,
    webhooks.router,
    audit.router,
    me.router,
    health.router,
)
