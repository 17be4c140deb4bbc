"""The gateway over HTTP: the same addresses that a hospital's system uses, with the same errors."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from infra.state import running_url
from shared.errors import ThoracleError
from shared.settings import Settings

TERMINAL = frozenset({"succeeded", "failed", "rejected", "cancelled", "dead"})
_RETRIES = 5
_WAIT_S = 20
_PATIENCE_S = 900.0
_BUSY = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)

Answer = dict[str, Any]


class ServerProblem(ThoracleError):
    """What the gateway answered instead of what was asked for."""


class Client:
    """One gateway, one key. The address and key of this machine's own gateway are found when none are set."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self.url = (settings.url or running_url(settings.home) or settings.base_url).rstrip("/")
        key = settings.key.get_secret_value() or self._own_key(settings)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(60, connect=5)
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._http.close()

    def submit(self, path: Path, fields: Mapping[str, str], key: str = "") -> Answer:
        """Send one file; returns the job. Safe to repeat: the same Idempotency-Key goes with every attempt."""
        key = key or uuid.uuid4().hex
        for attempt in range(_RETRIES + 1):
            with path.open("rb") as stream:
                response = self._send(
                    "POST",
                    "/v1/jobs",
                    files={"file": (path.name, stream)},
                    data=dict(fields),
                    headers={"Idempotency-Key": key},
                )
            if response.status_code not in _BUSY or attempt == _RETRIES:
                break
            time.sleep(min(float(response.headers.get("Retry-After", 1)), 10))
        job: Answer = _json(response)
        return job

    def upload(
        self,
        path: str,
        kind: str,
        body: Callable[[], Iterable[bytes]],
        headers: Mapping[str, str],
        query: Mapping[str, str | None],
    ) -> Answer:
        """Send a body that can be made again, until it is taken: waits a quarter of an hour for a service that is full.

        Safe only where sending it twice is. What making the body raises comes out.
        """
        until = time.monotonic() + _PATIENCE_S
        sent, params = {"Content-Type": kind, **headers}, _given(query)
        while True:
            try:
                response = self._send("POST", path, content=body(), headers=sent, params=params)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                if time.monotonic() > until:
                    raise
                time.sleep(1)
                continue
            if response.status_code not in _BUSY or time.monotonic() > until:
                answer: Answer = _json(response)
                return answer
            time.sleep(min(float(response.headers.get("Retry-After", 1)), 10))

    def lines(self, path: str, **query: object) -> Iterator[str]:
        """The lines of an answer as they come, each with its end."""
        with self._http.stream("GET", path, params=_given(query)) as response:
            if not response.is_success:
                response.read()
                _json(response)
            for line in response.iter_lines():
                yield line + "\n"

    def finished(self, job_id: str, deadline: float) -> Answer:
        """The job once it is terminal, or as it is at the deadline (of `time.monotonic`)."""
        while True:
            wait = max(1, min(_WAIT_S, int(deadline - time.monotonic())))
            job: Answer = self.get(f"/v1/jobs/{job_id}", headers={"Prefer": f"wait={wait}"})
            if job["status"] in TERMINAL or time.monotonic() > deadline:
                return job
            time.sleep(0.2)

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: object) -> Any:
        """Read an address."""
        return _json(self._send("GET", path, params=_given(query), headers=dict(headers or {})))

    def body(self, path: str) -> bytes:
        """The bytes at an address."""
        response = self._send("GET", path)
        if not response.is_success:
            _json(response)
        return response.content

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, **query: object
    ) -> Any:
        """Change something."""
        return _json(self._send(method, path, params=_given(query), json=body, headers=dict(headers or {})))

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **arguments)
        except httpx.ConnectError:
            raise ServerProblem(
                "unavailable",
                detail=f"No Thoracle answers at {self.url}. Start one with 'thoracle up', or set THORACLE_URL.",
            ) from None

    def _own_key(self, settings: Settings) -> str:
        # This machine's key is for this machine's gateway; another address must be given its own.
        path = settings.home / "key"
        return path.read_text().strip() if not settings.url and path.exists() else ""


def _given(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _json(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else {}
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = "internal_error", f"The server answered {response.status_code} without a reason it could name."
    if code == "unauthenticated":
        detail = "The gateway does not know this key. Set THORACLE_KEY to one made by 'thoracle keys create'."
    fields = "; ".join(f"{item['field']}: {item['detail']}" for item in problem_fields(response))
    raise ServerProblem(code, detail=f"{detail} ({fields})" if fields else detail)


def problem_fields(response: httpx.Response) -> list[dict[str, str]]:
    """Which fields a problem names."""
    try:
        return list(response.json().get("errors") or [])
    except (ValueError, AttributeError):
        return []
