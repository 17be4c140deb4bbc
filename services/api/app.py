"""The gateway's application: routes, errors, headers. `create_app(settings)` makes one; `__main__` serves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from services.api import description, docs, problems
from services.api.auth import authorise
from services.api.envelope import Envelope
from services.api.gateway import Gateway
from services.api.routes import ROUTERS, pages
from shared.sentences import RESEARCH
from shared.settings import Settings

_ABOUT = f"""Screens chest X-rays, cough recordings and lung sounds. {RESEARCH}

Errors are `application/problem+json` (RFC 9457) with a stable `code`. Times are UTC, ids are UUIDv7."""


def create_app(settings: Settings) -> FastAPI:
    """The application. It connects to nothing before its first request."""
    app = FastAPI(
        title="Thoracle",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        dependencies=[Depends(authorise)],
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.gateway = Gateway(settings)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(pages.router)
    pages.install(app)
    docs.install(app)
    problems.install(app)
    description.install(app)
    app.add_middleware(Envelope, fastapi=app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gateway: Gateway = app.state.gateway
    gateway.start()
    try:
        yield
    finally:
        await gateway.stop()
