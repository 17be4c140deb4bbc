"""A pointer that swings between two versions while jobs and batches come in and workers are killed.

What every look at the database saw meanwhile is kept, and what is left at the end is judged by the rows themselves.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import text

from shared.db.engine import Database
from shared.settings import Settings
from tests.chaos.queries import violated

# One row, in one snapshot: the deployments of the modality, those with a version, those that stand where their history
# says. All three are one at every committed instant.
_STANDS = text(
    """
    SELECT count(*) AS all_of_them, count(d.active_id) AS active, count(*) FILTER (WHERE e.to_id = d.active_id) AS told
    FROM deployments d
    LEFT JOIN deployment_events e ON e.deployment_id = d.id AND e.generation = d.generation
    WHERE d.modality = :modality
    """
)
_MIXED = text(
    """
    SELECT count(*) FROM (
        SELECT batch_id FROM jobs WHERE batch_id IS NOT NULL AND version_id IS NOT NULL
        GROUP BY batch_id HAVING count(DISTINCT version_id) > 1
        UNION ALL
        SELECT NULL FROM results r JOIN jobs j ON j.id = r.job_id JOIN claims c ON c.id = r.claim_id
        WHERE r.version_id <> j.version_id OR r.version_id <> c.version_id
    ) AS mixed
    """
)
_OPEN = text("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")
_ENDED = text("SELECT state, count(*) FROM jobs GROUP BY state")


@dataclass
class Seen:
    """`answers`: seconds from each rollback to the first answer of the version that it brought back."""

    looks: int = 0
    wrong_looks: int = 0
    wrong_answers: int = 0
    answers: list[float] = field(default_factory=list)
    batches: int = 0
    states: dict[str, int] = field(default_factory=dict)
    mixed: int = 0
    violations: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


@dataclass
class Swing:
    """`away` is promoted and rolled back again, in turn, from the version that is active at first."""

    settings: Settings
    database: Database
    client: httpx.Client
    modality: str
    away: str
    body: bytes
    seen: Seen = field(default_factory=Seen)

    def run(self, moves: int, singles: int, batch: int, every: int, kill: Callable[[], None]) -> Seen:
        """So many moves, with `singles` jobs before each; a batch of `batch` and a killed worker at `every` of them."""
        self._first = self._submit("routine")
        with self._watched():
            for number in range(moves):
                for _ in range(singles):
                    self._submit("routine")
                if number % every == 0:
                    self._send_batch(f"batch-{number}", batch)
                    kill()
                self._promote() if number % 2 == 0 else self._roll_back()
        self._settle()
        return self.seen

    def _promote(self) -> None:
        path = f"/v1/deployments/{self.modality}"
        headers = {"If-Match": self.client.get(path).headers["ETag"], "Prefer": "wait=30"}
        body = {"version": self.away, "reason": "swing", "override": "neither version has figures"}
        self.client.put(path, json=body, headers=headers).raise_for_status()

    def _roll_back(self) -> None:
        begun = time.monotonic()
        answer = self.client.post(f"/v1/deployments/{self.modality}/rollback", json={"reason": "swing"})
        wanted = answer.raise_for_status().json()["active"]["sha256"]
        job = self._submit("stat")
        while (view := self._look(job))["result"] is None:
            pass
        self.seen.answers.append(time.monotonic() - begun)
        self.seen.wrong_answers += view["result"]["version"]["sha256"] != wanted

    def _look(self, job: str) -> dict[str, Any]:
        answer = self.client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=20"})
        view: dict[str, Any] = answer.raise_for_status().json()
        return view

    def _submit(self, priority: str) -> str:
        fields = {"modality": self.modality, "priority": priority}
        answer = self.client.post("/v1/jobs", files={"file": ("input", self.body)}, data=fields).raise_for_status()
        job: str = answer.json()["id"]
        return job

    def _send_batch(self, key: str, size: int) -> None:
        sha256 = self._look(self._first)["input"]["sha256"]
        lines = [
            json.dumps({"sha256": sha256, "modality": self.modality, "key": str(number)}) for number in range(size)
        ]
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
        answer = self.client.post("/v1/batches", content="\n".join(lines), headers=headers)
        self.seen.batches += answer.raise_for_status().json()["made"] == size

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.005):
            with self.database.begin() as session:
                row = session.execute(_STANDS, {"modality": self.modality}).one()
            self.seen.looks += 1
            self.seen.wrong_looks += tuple(row) != (1, 1, 1)

    def _settle(self) -> None:
        """Wait until nothing is open, then judge."""
        until = time.monotonic() + 240
        while self._scalar(_OPEN):
            assert time.monotonic() < until, "jobs are still open"
            time.sleep(0.2)
        with self.database.begin() as session:
            self.seen.states = {row[0]: row[1] for row in session.execute(_ENDED)}
            self.seen.mixed = session.execute(_MIXED).scalar_one()
            broken = [one for one in violated(session, self.settings) if one.invariant in ("I2", "I3", "I6")]
        self.seen.violations = [f"{one.invariant}: {one.what}" for one in broken]
        self.seen.actions = self._history()

    def _history(self) -> list[str]:
        """Every action of the pointer, oldest first, by the API."""
        moves: list[str] = []
        cursor: str | None = None
        while True:
            query: dict[str, str] = {"limit": "200"} if cursor is None else {"limit": "200", "cursor": cursor}
            page = self.client.get(f"/v1/deployments/{self.modality}/history", params=query).raise_for_status().json()
            moves += [move["action"] for move in page["moves"]]
            cursor = page["next"]
            if cursor is None:
                return moves[::-1]

    def _scalar(self, statement: Any) -> int:
        with self.database.begin() as session:
            return int(session.execute(statement).scalar_one())
