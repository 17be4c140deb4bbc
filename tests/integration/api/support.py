"""A gateway on a real socket, and callers of it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from sqlalchemy import func, insert, select, text, update

from services.api.app import create_app
from services.api.gateway import Gateway
from services.api.protocol import Protocol
from shared.db import people
from shared.db.engine import Database
from shared.db.tables import AuditEvent, Claim, Job, JobEvent, Result, Version, Worker, new_id
from shared.schemas import Role
from shared.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
TLS = httpx.create_ssl_context(trust_env=False)  # making one takes longer than many a test; all clients share it
WAV = b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(2000)


@dataclass
class Api:
    """A running gateway with its database."""

    settings: Settings
    database: Database
    gateway: Gateway | None = None  # where it runs in this process
    _clients: list[httpx.Client] = field(default_factory=list)

    def key(self, *roles: Role, tenant: str = "north", name: str = "", scopes: tuple[Role, ...] = ()) -> str:
        """A new key of a person with these roles."""
        roles = roles or (Role.SUBMITTER,)
        with self.database.begin() as session:
            owner = people.ensure_tenant(session, tenant)
            person = people.ensure_principal(session, owner, name or "-".join(sorted(roles)), roles)
            return people.issue(session, person.id, "key", scopes=scopes)

    def client(self, *roles: Role, tenant: str = "north", key: str | None = None) -> httpx.Client:
        """An HTTP client that signs its requests."""
        secret = key or self.key(*roles, tenant=tenant)
        client = httpx.Client(
            base_url=self.settings.base_url,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
            trust_env=False,
            verify=TLS,
        )
        self._clients.append(client)
        return client

    def anonymous(self) -> httpx.Client:
        """An HTTP client without a key."""
        client = httpx.Client(base_url=self.settings.base_url, timeout=60, trust_env=False, verify=TLS)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close every client."""
        for client in self._clients:
            client.close()

    def set_state(self, job_id: str, state: str, **values: Any) -> None:
        """Move a job by hand."""
        with self.database.begin() as session:
            session.execute(update(Job).where(Job.id == UUID(job_id)).values(state=state, **values))

    def start(self, job_id: str) -> int:
        """Let a worker hold the job; returns the claim."""
        with self.database.begin() as session:
            job = session.get_one(Job, UUID(job_id))
            version = session.scalars(select(Version).where(Version.modality == job.modality)).first()
            worker = Worker(id=new_id(), host="test", pid=1, modalities=[job.modality], report={})
            session.add(worker)
            session.flush()
            claim = Claim(
                worker_id=worker.id, modality=job.modality, version_id=version.id, generation=1, lease_until=func.now()
            )
            session.add(claim)
            session.flush()
            job.state, job.claim_id, job.version_id, job.started_at = "running", claim.id, version.id, func.now()
            return claim.id

    def finish(self, job_id: str, probability: float = 0.9, decision: str = "flagged", **values: Any) -> None:
        """End a job with a result as a worker would."""
        claim = self.start(job_id)
        with self.database.begin() as session:
            job = session.get_one(Job, UUID(job_id))
            row = {
                "job_id": job.id,
                "tenant_id": job.tenant_id,
                "version_id": job.version_id,
                "claim_id": claim,
                "input_sha256": "0" * 64,
                "score": 1.0,
                "distance": 0.0,
                "probability": probability,
                "decision": decision,
                "quality": [],
                "reasons": [],
                "runtime": {"engine": "onnxruntime"},
                "timings": {"queued_ms": 1, "prepare_ms": 2, "predict_ms": 3, "total_ms": 6},
            }
            session.execute(insert(Result).values(**{**row, **values}))
            job.state, job.claim_id, job.finished_at = "succeeded", None, func.now()

    def count(self, table: type, *conditions: Any) -> int:
        """Rows of a table."""
        with self.database.begin() as session:
            return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0

    def waiting(self) -> int:
        """Requests that wait for the end of a job."""
        assert self.gateway is not None
        return sum(len(events) for events in list(self.gateway.watcher._waiting.values()))

    def actions(self, object_id: str | None = None) -> list[str]:
        """What the audit log remembers, in order."""
        query = select(AuditEvent.action).order_by(AuditEvent.id)
        with self.database.begin() as session:
            return list(session.scalars(query if object_id is None else query.where(AuditEvent.object_id == object_id)))

    def events(self, job_id: str) -> list[tuple[str | None, str, str]]:
        """The changes of a job's state."""
        query = select(JobEvent).where(JobEvent.job_id == UUID(job_id)).order_by(JobEvent.id)
        with self.database.begin() as session:
            return [(event.from_state, event.to_state, event.cause) for event in session.scalars(query)]

    def execute(self, statement: str, **values: Any) -> None:
        """Any SQL."""
        with self.database.begin() as session:
            session.execute(text(statement), values)

    def blobs(self) -> list[str]:
        """Names of everything in the blob store, half-written files too."""
        root = self.settings.blob_dir
        return sorted(path.name for path in root.rglob("*") if path.is_file()) if root.is_dir() else []


def submit(client: httpx.Client, body: bytes = PNG, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """POST a file with text fields."""
    return client.post("/v1/jobs", files={"file": ("a name.png", body)}, data=fields, headers=headers or {})


def submitted(client: httpx.Client, body: bytes = PNG, **fields: Any) -> str:
    """The id of an accepted job."""
    response = submit(client, body, **fields)
    assert response.status_code == 202, response.text
    job_id: str = response.json()["id"]
    return job_id


class _Server(uvicorn.Server):
    """Stops at once: uvicorn looks up every 0.1 s and waits as long for callers, who are gone when a test is over."""

    def stop(self) -> None:
        """From another thread."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._end.set)

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._end.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await _rounds()  # who was accepted just now is connected
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await _rounds()  # who was closed leaves
        await self._wait_tasks_to_complete()
        await self.lifespan.shutdown()


async def _rounds() -> None:
    """A few turns of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)


@contextlib.contextmanager
def serving(settings: Settings, database: Database) -> Iterator[Api]:
    """The gateway in a thread of the test."""
    with _listening() as listening:
        settings = settings.changed(port=_port(listening))
        app = create_app(settings)
        config = uvicorn.Config(app, access_log=False, log_config=None, ws="none", server_header=False, http=Protocol)
        server, api = _Server(config), Api(settings, database, app.state.gateway)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.002)
        try:
            yield api
        finally:
            api.close()
            server.stop()
            thread.join(timeout=60)
    assert not thread.is_alive()


def _listening() -> socket.socket:
    """On a port of this machine that was free; nobody can take it in between."""
    return socket.create_server(("127.0.0.1", 0), backlog=2048)


def _port(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port
