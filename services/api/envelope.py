"""What every request gets: an id, strict headers, a bound on its body, one line of metrics, an answer to any error."""

import asyncio
import time
from collections.abc import Iterable
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api import problems, tongue
from services.api.turnstile import Turnstile
from shared.errors import BadRequest, ThoracleError, TooLarge, TooSlow
from shared.sentences import speaking
from shared.telemetry import REQUEST_SECONDS

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
LIVENESS = "/health/live"
_BODY_BYTES = 64 * 2**10
BODY_S = 20.0  # uploads have deadlines of their own
UPLOADS = frozenset({("POST", "/v1/jobs"), ("POST", "/submit"), ("POST", "/v1/batches")})


class Envelope:
    """The outermost layer. A header that the route set itself stands."""

    def __init__(self, app: ASGIApp, fastapi: FastAPI) -> None:
        self._app, self._fastapi = app, fastapi
        self._turnstile = Turnstile()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] != LIVENESS:
            await self._turnstile.enter()
        scope.setdefault("state", {})["request_id"] = uuid4().hex
        scope.setdefault("app", self._fastapi)
        named = structlog.contextvars.bound_contextvars(request_id=scope["state"]["request_id"])
        with named, speaking(tongue.of(Request(scope))):
            await _Exchange(self._app, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        self._limit = None if (scope["method"], scope["path"]) in UPLOADS else _BODY_BYTES
        self._received, self._whole, self._status, self._begun = 0, False, 0, time.perf_counter()

    async def run(self) -> None:
        request = Request(self._scope)
        try:
            self._check_length(request.headers.get("content-length"))
            await self._app(self._scope, self._bounded, self._sealed)
        except ThoracleError as error:
            await self._answer(problems.answer(request, error))
        except Exception as error:  # noqa: BLE001 - nothing may reach the server's log with its text
            await self._answer(problems.internal(request, error))
        finally:
            self._count()

    def _check_length(self, value: str | None) -> None:
        if value is None or self._limit is None:
            return
        if not value.isascii() or not value.isdigit():
            raise BadRequest
        if int(value) > self._limit:
            raise TooLarge(detail="The request body is too large for this address.")

    async def _bounded(self) -> Message:
        message = await self._in_time()
        self._received += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._limit is not None and self._received > self._limit:
            raise TooLarge(detail="The request body is too large for this address.")
        return message

    async def _in_time(self) -> Message:
        if self._whole or self._limit is None:  # a whole body's reader waits for the client to leave
            return await self._receive()
        try:
            async with asyncio.timeout(self._begun + BODY_S - time.perf_counter()):
                return await self._receive()
        except TimeoutError:
            raise TooSlow from None

    async def _sealed(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._scope["state"]["request_id"]
            _set_missing(headers, HEADERS.items())
        await self._send(message)

    async def _answer(self, response: ASGIApp) -> None:
        if not self._status:  # else a part was sent already, and closing the connection is all that is left
            await response(self._scope, self._receive, self._sealed)

    def _count(self) -> None:
        rated = self._scope["state"].get("rated")
        if rated is not None:
            self._scope["app"].state.gateway.rates.received(rated, self._received)
        route = getattr(self._scope.get("route"), "path", "none")
        method = self._scope["method"] if route != "none" else "any"
        REQUEST_SECONDS.labels(method, route, str(self._status or 499)).observe(time.perf_counter() - self._begun)


def _set_missing(headers: MutableHeaders, wanted: Iterable[tuple[str, str]]) -> None:
    for name, value in wanted:
        headers.setdefault(name, value)
