"""A hospital's client that writes down every call before and after it, and repeats what was not answered."""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx

from tests.chaos.identity import NoEcho, logit, read_back
from tests.chaos.inputs import Input
from tests.chaos.journal import Journal, Operation

AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 507})
_PAUSE_S = 1.0


class Client:
    """One key of one hospital, for one thread.

    `injected` says whether an error of the gateway is one that a failpoint raises just now: then it stands for an
    answer that was lost.
    """

    def __init__(
        self, url: str, key: str, tenant: str, journal: Journal, stopping: threading.Event, injected: Callable[[], bool]
    ) -> None:
        self.tenant, self._journal, self._stopping, self._injected = tenant, journal, stopping, injected
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(40, connect=3),
            trust_env=False,
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def submit(self, given: Input, key: str, *, tries: int = 40, **fields: str) -> str | None:
        """Submit until it is answered for good; the job's id, None when it was refused or never answered."""
        facts = {"subject": given.subject, "sha256": given.sha256, "idempotency_key": key, "number": given.number}
        form = {"modality": str(given.modality), "subject_id": given.subject, **fields}
        request = hashlib.sha256(json.dumps([given.sha256, form], sort_keys=True).encode()).hexdigest()
        for _ in range(tries):
            answer = self.call(
                Operation.SUBMIT,
                lambda: self._http.post(
                    "/v1/jobs", files={"file": ("input", given.body)}, data=form, headers={"Idempotency-Key": key}
                ),
                request=request,
                **facts,
            )
            if answer is not None and answer.status_code not in AGAIN:
                return str(answer.json()["id"]) if answer.is_success else None
            if self._stopping.wait(_PAUSE_S):
                break
        return None

    def look(self, job: str, wait: int = 0, timeout: float = 40) -> dict[str, Any] | None:
        """The job as it is told, perhaps after a long poll; None without an answer."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        ask = lambda: self._http.get(f"/v1/jobs/{job}", headers=headers, timeout=timeout)  # noqa: E731
        answer = self.call(Operation.GET, ask, asked=job)
        return answer.json() if answer is not None and answer.is_success else None

    def cancel(self, job: str) -> None:
        """Cancel a job, if that can still be done."""
        self.call(Operation.CANCEL, lambda: self._http.delete(f"/v1/jobs/{job}"), asked=job)

    def promote(self, modality: str, version: str) -> None:
        """Make a version answer, from whatever the pointer is now."""
        with suppress(httpx.HTTPError, KeyError, ValueError):
            pointer = self._http.get(f"/v1/deployments/{modality}")
            body = {"version": version, "reason": "chaos"}
            headers = {"If-Match": pointer.headers["etag"], "Prefer": "wait=5"}  # until workers have it loaded
            ask = lambda: self._http.put(f"/v1/deployments/{modality}", json=body, headers=headers)  # noqa: E731
            self.call(Operation.PROMOTE, ask, modality=modality)

    def roll_back(self, modality: str) -> None:
        """Let the version before answer again."""
        ask = lambda: self._http.post(f"/v1/deployments/{modality}/rollback", json={"reason": "chaos"})  # noqa: E731
        self.call(Operation.ROLLBACK, ask, modality=modality)

    def try_out(self, modality: str, version: str) -> None:
        """Let a version be the shadow, where there is none: a new one sees only what is answered from then on."""
        with suppress(httpx.HTTPError, KeyError, ValueError):
            pointer = self._http.get(f"/v1/deployments/{modality}")
            if pointer.json()["shadow"] is not None:
                return
            body = {"version": version, "reason": "chaos"}
            headers = {"If-Match": pointer.headers["etag"], "Prefer": "wait=5"}
            self._http.put(f"/v1/deployments/{modality}/shadow", json=body, headers=headers)

    def get(self, path: str) -> Any:
        """Read what no invariant is about; None when it failed."""
        with suppress(httpx.HTTPError):
            answer = self._http.get(path)
            return answer.json() if answer.is_success else None
        return None

    def bulk(self, given: Sequence[Input], key: str) -> None:
        """Submit some stored inputs again as a batch, until it is answered for good."""
        lines = [
            json.dumps({"sha256": one.sha256, "key": one.subject, "modality": one.modality, "subject_id": one.subject})
            for one in given
        ]
        body, kind = "\n".join(lines).encode(), "application/x-ndjson"
        for _ in range(5):
            answer = self.call(
                Operation.BATCH,
                lambda: self._http.post(
                    "/v1/batches", content=body, headers={"Content-Type": kind, "Idempotency-Key": key}
                ),
                request=hashlib.sha256(body).hexdigest(),
                idempotency_key=key,
                items=len(given),
            )
            if (answer is not None and answer.status_code not in AGAIN) or self._stopping.wait(_PAUSE_S):
                return

    def delete(self, path: str) -> None:
        """End what no invariant is about."""
        with suppress(httpx.HTTPError):
            self._http.delete(path)

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response | None:
        """A call that no invariant is about; None when it failed."""
        with suppress(httpx.HTTPError):
            answer = self._http.post(path, json=body)
            return answer if answer.is_success else None
        return None

    def call(self, operation: Operation, ask: Callable[[], httpx.Response], **facts: Any) -> httpx.Response | None:
        """Ask between two lines of the journal; None when no answer came."""
        call = self._journal.before(operation, tenant=self.tenant, **facts)
        try:
            answer = ask()
        except httpx.HTTPError as error:
            self._journal.after(call, error=type(error).__name__)
            return None
        if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR and self._injected():
            self._journal.after(call, error="raised")
            return None
        self._journal.after(call, status=answer.status_code, **_told(operation, answer))
        return answer


def _told(operation: Operation, answer: httpx.Response) -> dict[str, Any]:
    facts: dict[str, Any] = {"body": hashlib.sha256(answer.content).hexdigest()}
    after = answer.headers.get("retry-after", "")
    if after.isdigit():
        facts["retry_after"] = int(after)
    if not answer.is_success:
        return {**facts, "code": _code(answer)}
    said = answer.json()
    if operation in (Operation.PROMOTE, Operation.ROLLBACK):
        return {**facts, "generation": said["generation"], "version": said["active"]["sha256"]}
    if operation is Operation.BATCH:
        return {**facts, "batch_id": said["id"]}
    return {**facts, **_job(said)}


def _job(said: dict[str, Any]) -> dict[str, Any]:
    facts = {"job_id": said["id"], "state": said["status"], "subject": said["subject_id"]}
    facts["sha256"] = said["input"]["sha256"]
    result = said.get("result")
    if result and result["version"]["name"].startswith("echo-"):
        with suppress(NoEcho):
            facts["number"] = read_back(logit(result["probability"]))[0]
    return {name: value for name, value in facts.items() if value is not None}


def _code(answer: httpx.Response) -> str | None:
    with suppress(ValueError, KeyError):
        return str(answer.json()["code"])
    return None
