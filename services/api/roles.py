"""Who may call what. Deny by default: a route without a row here is refused, and a test says which one it is."""

from services.api.access import ADMIN, ANYBODY, AUDITOR, PATIENT, PUBLIC, Table
from services.api.web.access import PAGES

ROLES: Table = {
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,  # from this machine, or for administrators and auditors: the route decides
    ("GET", "/docs"): PUBLIC,
    ("GET", "/docs/openapi.json"): PUBLIC,
    ("GET", "/docs/start.js"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/v1/me"): ANYBODY,
    ("POST", "/v1/jobs"): PATIENT,
    ("GET", "/v1/jobs"): PATIENT,
    ("GET", "/v1/jobs/{job_id}"): PATIENT,
    ("DELETE", "/v1/jobs/{job_id}"): PATIENT,
    ("POST", "/v1/jobs/{job_id}/retry"): PATIENT,
    ("GET", "/v1/jobs/{job_id}/input"): PATIENT,
    ("GET", "/v1/jobs/{job_id}/renditions/{kind}"): PATIENT,
    ("GET", "/v1/studies/{study_id}"): PATIENT,
    ("GET", "/v1/models"): ANYBODY,
    ("GET", "/v1/models/{modality}/versions"): ANYBODY,
    ("GET", "/v1/versions/{sha256}"): ANYBODY,
    ("GET", "/v1/deployments"): ANYBODY,
    ("GET", "/v1/deployments/{modality}"): ANYBODY,
    ("PUT", "/v1/deployments/{modality}"): ADMIN,
    ("POST", "/v1/deployments/{modality}/rollback"): ADMIN,
    ("GET", "/v1/deployments/{modality}/history"): ANYBODY,
    ("GET", "/v1/recipes"): ADMIN,
    ("POST", "/v1/training-runs"): ADMIN,
    ("GET", "/v1/training-runs"): ADMIN,
    ("GET", "/v1/training-runs/{run_id}"): ADMIN,
    ("DELETE", "/v1/training-runs/{run_id}"): ADMIN,
    ("POST", "/v1/training-runs/{run_id}/retry"): ADMIN,
    ("GET", "/v1/audit"): AUDITOR,
    **PAGES,
}
