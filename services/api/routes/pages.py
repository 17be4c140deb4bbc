"""The pages, rendered on the server."""

from fastapi import APIRouter, FastAPI

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Hang the pages' own parts into the application: static files, and how a problem looks as a page."""
    app.state.problem_page = None
