"""Who may open which page: rows (method, path) as in `services/api/roles.py`, which includes them."""

from services.api.access import ANYBODY, PATIENT, PUBLIC, Table

PAGES: Table = {
    ("GET", "/static/{name}"): PUBLIC,
    ("POST", "/language"): PUBLIC,
    ("GET", "/sign-in"): PUBLIC,
    ("POST", "/sign-in"): PUBLIC,
    ("GET", "/sign-in/{secret}"): PUBLIC,
    ("POST", "/sign-in/{secret}"): PUBLIC,
    ("POST", "/sign-out"): ANYBODY,
    ("GET", "/"): PATIENT,
    ("POST", "/submit"): PATIENT,
    ("POST", "/samples"): PATIENT,
    ("GET", "/jobs/{job_id}"): PATIENT,
    ("POST", "/jobs/{job_id}/cancel"): PATIENT,
    ("POST", "/jobs/{job_id}/retry"): PATIENT,
    ("POST", "/jobs/{job_id}/explanation"): PATIENT,
    ("GET", "/versions"): ANYBODY,
    ("GET", "/versions/{sha256}"): ANYBODY,
}
