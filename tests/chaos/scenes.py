"""Short scenes on a real stack, the same every time, in which each planted bug has its chance to show."""

import contextlib
import hashlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from infra.ports import free_port
from services.worker.claims import WORKER_LOST, Claims
from shared.db.engine import Database
from shared.db.statements import claims as statements
from shared.db.tables import Worker, new_id
from shared.settings import Settings
from tests.chaos.checker import Evidence
from tests.chaos.identity import canary, logit, make, read_back
from tests.chaos.journal import Entry, Journal, Operation, read
from tests.integration.api.support import serving
from tests.support.receiver import Receiver, receiver
from tests.support.stack import Process, process, wait_for, worker

_WHEN_SLOW_S = 60.0


@dataclass
class Scene:
    """One bug's database, journal and log. `first`: the first number of its pictures, which no other scene uses."""

    settings: Settings
    database: Database
    keys: dict[str, str]
    bug: str
    first: int
    folder: Path
    evidence: Evidence | None = None

    @property
    def log(self) -> Path:
        """What the process with the bug wrote."""
        return self.folder / "planted.log"

    @property
    def entries(self) -> list[Entry]:
        """What clients remember."""
        return read(self.folder / "journal")

    def module(self, name: str) -> str:
        """A service's module with the bug in it."""
        return f"tests.chaos.planted {self.bug} {name}"

    def worker(self, **changes: str) -> contextlib.AbstractContextManager[Process]:
        """A worker with the bug."""
        return worker(self.settings, self.database, self.log, self.module("services.worker"), **changes)

    @contextlib.contextmanager
    def clients(self, url: str) -> Iterator[dict[str, "Client"]]:
        """A client of each hospital."""
        with contextlib.ExitStack() as closing:
            journal = closing.enter_context(Journal(self.folder / "journal"))
            yield {
                name: Client(closing.enter_context(_http(url, key)), name, journal) for name, key in self.keys.items()
            }

    def count(self, condition: str) -> int:
        """Jobs of which something holds."""
        with self.database.begin() as session:
            return session.scalar(text(f"SELECT count(*) FROM jobs WHERE {condition}")) or 0

    def settle(self) -> None:
        """Wait until every job has ended; with a bug, until nobody is left who could end the others."""
        lost = "SELECT FROM claims WHERE ended_at IS NULL AND lease_until > now() - interval '3 seconds'"
        going = "state = 'queued' OR state = 'running'"
        if self.bug != "none":
            going = f"state = 'queued' OR (state = 'running' AND EXISTS ({lost}))"
        wait_for(lambda: self.count(going) == 0, _WHEN_SLOW_S, "at rest")

    def execute(self, statement: str) -> None:
        """Any SQL."""
        with self.database.begin() as session:
            session.execute(text(statement))

    def heir(self) -> Claims:
        """Takes claims as another worker would, in this process."""
        with self.database.begin() as session:
            session.add(Worker(id=(worker_id := new_id()), host="test", pid=1, modalities=["chest_xray"], report={}))
        return Claims(self.settings, self.database, worker_id)


@dataclass
class Client:
    """A hospital's client that remembers every call."""

    http: httpx.Client
    tenant: str
    journal: Journal

    def submit(self, number: int, key: str, content: int | None = None) -> str | None:
        """The id of the job for a number's picture; `content`: another one's picture under its name."""
        body = make(number if content is None else content)
        form = {"modality": "chest_xray", "subject_id": canary(number)}
        sent = {"subject": canary(number), "sha256": hashlib.sha256(body).hexdigest(), "idempotency_key": key}
        return self._call(
            Operation.SUBMIT,
            lambda: self.http.post("/v1/jobs", files={"file": body}, data=form, headers={"Idempotency-Key": key}),
            request=sent["sha256"],
            **sent,
        )

    def get(self, job_id: str) -> str | None:
        """Read a job; its id, None when it is not shown."""
        return self._call(Operation.GET, lambda: self.http.get(f"/v1/jobs/{job_id}"), asked=job_id)

    def cancel(self, job_id: str) -> str | None:
        """Cancel a job."""
        return self._call(Operation.CANCEL, lambda: self.http.delete(f"/v1/jobs/{job_id}"), asked=job_id)

    def _call(self, operation: Operation, ask: Callable[[], httpx.Response], **facts: Any) -> str | None:
        call = self.journal.before(operation, tenant=self.tenant, **facts)
        answer = ask()
        told: dict[str, Any] = {"status": answer.status_code, "body": hashlib.sha256(answer.content).hexdigest()}
        if answer.is_success:
            job = answer.json()
            told |= {"job_id": job["id"], "state": job["status"], "subject": job["subject_id"]}
            told["sha256"] = job["input"]["sha256"]
            if job["result"]:
                told["number"] = read_back(logit(job["result"]["probability"]))[0]
        self.journal.after(call, **told)
        return told.get("job_id")


def answering(scene: Scene) -> None:
    """A group is answered by the version that is active, while a newer one is published."""
    with serving(scene.settings, scene.database) as api, scene.clients(api.settings.base_url) as clients:
        north = clients["north"]
        jobs = [north.submit(scene.first + number, f"key-{number}") for number in range(4)]
        with scene.worker() as running:
            scene.settle()
            running.kill()  # it has nothing left to do, and stopping well takes a while
        for job_id in jobs:
            assert job_id is not None
            north.get(job_id)


def frozen(scene: Scene) -> None:
    """A worker is stopped between predicting and committing until its lease is over, and goes on then.

    Meanwhile one job is cancelled and another worker takes the others, and dies.
    """
    with serving(scene.settings, scene.database) as api, scene.clients(api.settings.base_url) as clients:
        jobs = [clients["north"].submit(scene.first + number, f"key-{number}") for number in range(3)]
        with scene.worker(THORACLE_FAULT="worker.predicted:hang@1") as zombie:
            wait_for(lambda: "fault worker.predicted" in scene.log.read_text(), _WHEN_SLOW_S, "predicted")
            zombie.popen.send_signal(signal.SIGSTOP)
            clients["north"].cancel(str(jobs[2]))
            wait_for(lambda: _reaped(scene), _WHEN_SLOW_S, "the lease over")
            heir = scene.heir()
            assert heir.take([])
            zombie.popen.send_signal(signal.SIGCONT)
            scene.settle()
            zombie.kill()


def dying(scene: Scene) -> None:
    """Whoever takes the job dies of it; a worker that serves something else finds what was left."""
    settings = scene.settings
    with serving(settings, scene.database) as api, scene.clients(api.settings.base_url) as clients:
        clients["north"].submit(scene.first, "key")
    with scene.worker(THORACLE_MODALITIES="cough") as reaper:
        heir = scene.heir()
        for _ in range(settings.max_attempts + 1):
            if scene.count("state = 'queued'"):
                heir.take([])
            given_up = time.monotonic() + (3 if scene.bug == "no_reaper" else _WHEN_SLOW_S)
            while scene.count("state = 'running'") and time.monotonic() < given_up:
                time.sleep(0.05)
        reaper.kill()


def accepting(scene: Scene) -> None:
    """A gateway accepts, repeats, shows, cancels, tells a receiver that fails, and is killed when it has said 202."""
    # Two gateways, one after the other; what receivers are told has to be the same from both.
    same = {"public_url": "http://gateway.test", "webhook_http": True, "webhook_networks": "127.0.0.0/8"}
    settings = scene.settings.changed(port=free_port(), **same)
    url = f"http://127.0.0.1:{settings.port}"
    with receiver() as hook:
        hook.status = 500
        with process(settings, scene.module("services.api"), scene.log) as gateway:
            wait_for(lambda: _live(url), _WHEN_SLOW_S, f"the gateway answers: {scene.log.read_text()}")
            with scene.clients(url) as clients:
                _spoken(scene, clients, hook)
                gateway.kill()
        hook.status = 204
        scene.execute("UPDATE deliveries SET due_at = now() WHERE state = 'waiting'")
        scene.execute("UPDATE webhooks SET paused_until = NULL")
        with (
            serving(settings, scene.database) as api,
            scene.clients(f"http://127.0.0.1:{api.settings.port}") as clients,
        ):
            for job_id in {entry.job_id for entry in scene.entries if entry.job_id}:
                if clients["north"].get(job_id) and scene.count(f"id = '{job_id}' AND state = 'queued'"):
                    clients["north"].cancel(job_id)
            wait_for(lambda: _told_all(scene), _WHEN_SLOW_S, "everything is told")
            metrics = clients["north"].http.get("/metrics").text
        scene.evidence = Evidence(list(hook.messages), {"metrics": metrics}, [scene.log])


def _spoken(scene: Scene, clients: dict[str, Client], hook: Receiver) -> None:
    north, south, first = clients["north"], clients["south"], scene.first
    north.http.post("/v1/webhooks", json={"url": hook.url}).raise_for_status()
    job_id = str(north.submit(first, "key-1"))
    north.submit(first, "key-1")
    north.submit(first, "key-1", content=first + 9)
    wait_for(lambda: north.get(job_id), _WHEN_SLOW_S, "shown")
    south.get(job_id)
    north.cancel(job_id)
    wait_for(lambda: hook.messages and _settled(scene), _WHEN_SLOW_S, "told in vain")
    north.submit(first + 1, "key-2")


def _reaped(scene: Scene) -> bool:
    with scene.database.begin() as session:
        return bool(session.execute(statements.reap(scene.settings.max_attempts, WORKER_LOST)).all())


def _settled(scene: Scene) -> bool:
    """Whether what became of the first attempt is recorded, in whatever way."""
    with scene.database.begin() as session:
        return not session.scalar(text("SELECT count(*) FROM deliveries WHERE answer IS NULL"))


def _told_all(scene: Scene) -> bool:
    with scene.database.begin() as session:
        return not session.scalar(text("SELECT count(*) FROM deliveries WHERE state = 'waiting'"))


def _http(url: str, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)


def _live(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health/live", timeout=2, trust_env=False).status_code == httpx.codes.OK
    return False
