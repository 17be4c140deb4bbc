"""API documentation at /docs from the package's own files: no CDN, nothing third-party in the repository."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

# Swagger UI sets style attributes; scripts come from this server alone.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Thoracle API</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
<link rel="icon" href="/docs/static/favicon-32x32.png"></head>
<body><div id="ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
_START = 'SwaggerUIBundle({url: "/docs/openapi.json", dom_id: "#ui", deepLinking: true, validatorUrl: null});\n'


def install(app: FastAPI) -> None:
    """Hang the documentation into the application."""

    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _CSP})

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @app.get("/docs/openapi.json", include_in_schema=False)
    async def description() -> JSONResponse:
        return JSONResponse(for_swagger(app.openapi()))

    app.mount("/docs/static", StaticFiles(directory=str(swagger_ui_path)), name="swagger")


def for_swagger(description: dict[str, Any]) -> dict[str, Any]:
    """The same description in OpenAPI 3.0, the newest that the packaged Swagger UI draws."""
    drawn: dict[str, Any] = _older(description)
    return {**drawn, "openapi": "3.0.3"}


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(item) for item in node]
    if not isinstance(node, dict):
        return node
    older = {key: _older(value) for key, value in node.items()}
    choices = older.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        older.pop("anyOf")
        older = {**(rest[0] if len(rest) == 1 else {"anyOf": rest}), **older, "nullable": True}
    return older
