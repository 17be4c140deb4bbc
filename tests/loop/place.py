"""A running service with five people, and what they do over HTTP."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from bench.stack import Bench, bench
from shared.db import people
from shared.deployments import STARTER, open_deployment, publish
from shared.registry import store
from shared.schemas import Modality, Role
from tests.loop.recordings import Recording

HERE = f"/v1/deployments/{Modality.COUGH}"
_PATIENCE_S = 300.0
_QUICK = {
    "modalities": "cough",
    "two_persons": True,
    "retraining_look_s": 1.0,
    "deployment_look_s": 0.5,
    "drift_every_s": 1.0,
    "drift_rollup_s": 2,
    "drift_window_s": 20,
    "drift_reference": 100,
    "drift_results": 50,
}
_ROLES = {
    "Ada": (Role.CLINICIAN,),
    "Ben": (Role.CLINICIAN,),
    "Carla": (Role.ADMIN, Role.CLINICIAN),
    "Dan": (Role.ADMIN,),
    "PACS": (Role.SUBMITTER,),
}
Answer = dict[str, Any]


class Place:
    """The service. Each method does one thing as one of the people and fails when the service refuses."""

    def __init__(self, running: Bench) -> None:
        self.settings = running.settings
        self._clients = {name: self._client(running, name) for name in _ROLES}

    def ask(self, who: str, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """The answer as JSON. Raises AssertionError with what the service said when it refuses."""
        answer = self.tried(who, method, path, body, **headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        found: Answer = answer.json() if answer.content else {}
        return found

    def tried(self, who: str, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """The answer, whatever it is."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._clients[who].request(method, path, json=body, headers=sent)

    def get(self, path: str, who: str = "Carla") -> Answer:
        """What an address shows."""
        return self.ask(who, "GET", path)

    def move(self, who: str, method: str, path: str, body: object) -> Answer:
        """A move of a pointer, on the generation that is there now, once workers are ready."""
        generation = self.get(HERE)["generation"]
        return self.ask(who, method, path, body, If_Match=f'"{generation}"', Prefer="wait=30")

    def send(self, some: list[tuple[Recording, bytes]]) -> list[Answer]:
        """Studies of patients, each answered; in the order in which they were given."""
        with ThreadPoolExecutor(4) as pool:
            ids = list(pool.map(lambda one: self._submitted(*one), some))
        return [self.until(lambda i=i: self._ended(i), "a study is answered") for i in ids]  # type: ignore[misc]

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """Look until there is something. Raises AssertionError."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.1)
        raise AssertionError(f"after {_PATIENCE_S:.0f} s still not: {what}")

    def _submitted(self, one: Recording, body: bytes) -> str:
        suffix = ".wav" if body.startswith(b"RIFF") else one.path.suffix
        fields = {"modality": "cough", "subject_id": one.patient, "site": one.site}
        answer = self._clients["PACS"].post("/v1/jobs", files={"file": (f"cough{suffix}", body)}, data=fields)
        assert answer.status_code == 202, answer.text
        job: str = answer.json()["id"]
        return job

    def _ended(self, job: str) -> Answer | None:
        found = self.ask("PACS", "GET", f"/v1/jobs/{job}", Prefer="wait=20")
        return found if found["status"] not in ("queued", "running") else None

    def _client(self, running: Bench, name: str) -> httpx.Client:
        with running.database.begin() as session:
            tenant = people.ensure_tenant(session, "north")
            kind: Any = "system" if name == "PACS" else "person"
            principal = people.ensure_principal(session, tenant, name, _ROLES[name], kind)
            key = people.issue(session, principal.id, "key")
        headers: Mapping[str, str] = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=running.settings.base_url, headers=headers, timeout=120, trust_env=False)


@contextlib.contextmanager
def place(**changes: object) -> Iterator[Place]:
    """Gateway, worker and trainer, with the starter version active."""
    with bench(**{**_QUICK, **changes}) as running:
        with running.database.begin() as session:
            artefact = store(STARTER / Modality.COUGH, running.settings.versions_dir)
            open_deployment(session, publish(session, artefact, "starter"), "starter")
        running.gateway()
        running.worker()
        running.start("services.trainer")
        yield Place(running)
