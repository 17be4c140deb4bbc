"""The API's description. Added to what the framework knows: who may call a route, and that errors are problems."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.api.access import Access
from services.api.problems import MEDIA_TYPE
from services.api.roles import ROLES
from shared.schemas import Problem

_COMMON = {"500": "Something went wrong on our side", "503": "Busy or restarting; ask again after Retry-After"}
_SIGNED = {"401": "No valid key or session", "403": "Your role does not allow it"}
_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, `thk_...`"},
    "session": {"type": "apiKey", "in": "cookie", "name": "thoracle_session", "description": "A browser's session"},
}


def install(app: FastAPI) -> None:
    """Let the application describe itself with these additions."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def render(app: FastAPI) -> str:
    """The description as it is committed."""
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _described(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = _SCHEMES
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _complete(operation, ROLES[method.upper(), path])
    return schema


def _complete(operation: dict[str, Any], access: Access) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in json.dumps(responses.get("422", {})):
        responses["422"] = {"description": "A value cannot be accepted"}
    declared = _COMMON if access is None else {**_COMMON, **_SIGNED}
    for status, meaning in declared.items():
        responses.setdefault(status, {"description": meaning})
    for status, response in responses.items():
        if status >= "400":
            response.setdefault("content", {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}})
    if access is not None:
        operation["security"] = [{"key": []}, {"session": []}]
        operation["x-roles"] = sorted(access)
