"""One file per part of the address space; each has a `router`. A route also needs a row in `services/api/roles.py`."""

from services.api.routes import health

ROUTERS = (health.router,)
