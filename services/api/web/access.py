"""Who may open which page: rows (method, path) as in `services/api/roles.py`, which includes them."""

from services.api.access import Table

PAGES: Table = {}
