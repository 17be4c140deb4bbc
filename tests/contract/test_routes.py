"""Every route has a row in the table of roles, every row has a route, and every error is declared as a problem."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import Mount, Route

from services.api.access import PATIENT
from services.api.app import create_app
from services.api.roles import ROLES
from shared.settings import Settings

_STATIC = {"/docs/static"}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """The application, connected to nothing."""
    return create_app(Settings(_env_file=None, database_url=SecretStr("postgresql+psycopg://nobody@127.0.0.1:1/none")))


def routes(app: FastAPI) -> Iterator[Route | APIRoute | Mount]:
    """Every route, those of included routers too."""
    pending: list[Any] = list(app.routes)
    while pending:
        route = pending.pop()
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            pending += inner.routes
        else:
            yield route


def served(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of everything that answers."""
    return {
        (method, route.path)
        for route in routes(app)
        if not isinstance(route, Mount)
        for method in (route.methods or ()) - {"HEAD"}
    }


def test_routes_and_roles_are_the_same_set(app: FastAPI) -> None:
    assert served(app) == set(ROLES)


def test_only_static_files_are_mounted(app: FastAPI) -> None:
    assert {route.path for route in routes(app) if isinstance(route, Mount)} == _STATIC


def test_patients_data_is_for_submitters_and_clinicians() -> None:
    for (_, path), access in ROLES.items():
        if path.startswith(("/v1/jobs", "/v1/studies")):
            assert access is not None, path
            assert access <= PATIENT, path


def test_every_error_is_declared_as_a_problem(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if status >= "400" and path != "/health/ready":
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)


def test_the_description_names_who_may_call(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            access = ROLES[method.upper(), path]
            assert operation.get("x-roles") == (None if access is None else sorted(access)), path
            assert ("security" in operation) == (access is not None)
