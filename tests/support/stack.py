"""Real processes of the service for tests, and jobs put into the database as the gateway would."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import func, insert, select

from shared.db.engine import Database
from shared.db.people import ensure_principal, ensure_tenant
from shared.db.tables import PRIORITY_RANK, Job, JobInput, Worker, new_id
from shared.schemas import Modality, Role
from shared.settings import Settings, child_environment
from shared.storage import BlobStore

ROOT = Path(__file__).parents[2]


def environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a child process these settings."""
    values = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is None:
            continue
        plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        values[{"database_url": "DATABASE_URL", "redis_url": "REDIS_URL"}.get(name, f"THORACLE_{name.upper()}")] = plain
    return child_environment(**values)


def wait_for(check: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until the check is true; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := check():
            return value
        time.sleep(0.02)
    raise AssertionError(f"after {seconds} s still not: {what}")


@dataclass
class Process:
    """A child process of the test."""

    popen: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """kill -9, and reap."""
        self.popen.kill()
        self.popen.wait(timeout=60)

    def terminate(self, timeout: float = 60) -> int:
        """SIGTERM, and the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=timeout)


@contextlib.contextmanager
def process(settings: Settings, module: str, log: Path, **changes: str) -> Iterator[Process]:
    """`python -m module`, arguments behind it, with these settings; killed at the end if it still runs."""
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", *module.split()],
            cwd=ROOT,
            env={**environment(settings), **changes},
            stdout=output,
            stderr=output,
        )
    child = Process(popen, log)
    try:
        yield child
    finally:
        if popen.poll() is None:
            popen.terminate()
            try:
                popen.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()


@contextlib.contextmanager
def worker(
    settings: Settings,
    database: Database,
    log: Path,
    module: str = "services.worker",
    *,
    within: float = 60,
    **changes: str,
) -> Iterator[Process]:
    """A worker process that has registered itself, within so many seconds."""
    before = _workers(database)
    with process(settings, module, log, **changes) as child:
        wait_for(lambda: child.popen.poll() is not None or _workers(database) > before, within, "a worker that is up")
        assert child.popen.poll() is None, log.read_text()
        yield child


class Hospital:
    """A tenant with a system that submits, straight into the database."""

    def __init__(self, settings: Settings, database: Database, name: str = "north") -> None:
        self._database, self._store = database, BlobStore(settings.blob_dir)
        with database.begin() as session:
            tenant = ensure_tenant(session, name)
            self.tenant_id = tenant.id
            self.principal_id = ensure_principal(session, tenant, "pacs", [Role.SUBMITTER], "system").id

    def submit(
        self, body: bytes, media_type: str, modality: Modality, count: int = 1, priority: str = "routine", **fields: Any
    ) -> list[UUID]:
        """Queue jobs of one input; returns their ids."""
        blob = self._store.put(self.tenant_id, body)
        ids = [new_id() for _ in range(count)]
        owner = {"tenant_id": self.tenant_id, "principal_id": self.principal_id}
        with self._database.begin() as session:
            session.execute(
                insert(Job),
                [{"id": i, **owner, "modality": modality, "priority": PRIORITY_RANK[priority], **fields} for i in ids],
            )
            session.execute(
                insert(JobInput),
                [
                    {
                        "tenant_id": self.tenant_id,
                        "job_id": i,
                        "sha256": blob.sha256,
                        "size_bytes": blob.size_bytes,
                        "media_type": media_type,
                    }
                    for i in ids
                ],
            )
        return ids

    def states(self, ids: list[UUID]) -> dict[str, int]:
        """How many of these jobs are in each state."""
        query = select(Job.state, func.count().label("jobs")).where(Job.id.in_(ids)).group_by(Job.state)
        with self._database.begin() as session:
            return {row.state: row.jobs for row in session.execute(query)}

    def job(self, job_id: UUID) -> Job:
        """The row of a job."""
        with self._database.begin() as session:
            return session.get_one(Job, job_id)


def _workers(database: Database) -> int:
    with database.begin() as session:
        return session.scalar(select(func.count()).select_from(Worker)) or 0
