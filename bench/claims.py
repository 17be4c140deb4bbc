"""What a claim costs as the queue grows: the claim statement at ten thousand and at two million queued rows.

`python -m bench.claims`. Two databases of one server, 20 hospitals with six lanes and two workers in each; rounds
alternate between the two. Every claim is ended and its rows are replaced, so that the depths stay what they are.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import Row, func, insert, make_url, select, text

from bench.record import Claim, at_most, figure, tell
from bench.stack import Bench, bench
from services.worker.claims import Held, failed
from shared.db import people
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.db.statements import claims as statements
from shared.db.statements import turns
from shared.db.tables import Job, Worker, new_id
from shared.deployments import install_starters
from shared.schemas import Modality, Role
from shared.settings import Settings

FEW, MANY = 10_000, 2_000_000
HOSPITALS, WORKERS = 20, 2
ROUNDS, CLAIMS = 10, 20  # claims of each worker in a round
LIMIT = 1.5

# Its number decides a row's lane, so that neighbours of a lane lie apart in the table as they really do.
_JOBS = """
    INSERT INTO jobs (id, tenant_id, principal_id, modality, priority, size_bytes)
    SELECT uuidv7(), p.tenant_id, p.id, (ARRAY['chest_xray', 'cough', 'lung_sound'])[1 + n / :hospitals % 3],
           1 + n / (3 * :hospitals) % 2, 100000
    FROM generate_series(1, :rows) AS n
    JOIN (SELECT id, tenant_id, row_number() OVER (ORDER BY id) - 1 AS rank FROM principals) AS p
      ON p.rank = n % :hospitals
"""
_INPUTS = """
    INSERT INTO job_inputs (id, tenant_id, job_id, sha256, size_bytes, media_type)
    SELECT uuidv7(), tenant_id, id, repeat('0', 64), size_bytes, 'image/png' FROM jobs
"""
_AGAIN = """
    WITH job AS (
        INSERT INTO jobs (id, tenant_id, principal_id, modality, priority, size_bytes)
        SELECT uuidv7(), tenant_id, principal_id, modality, priority, size_bytes FROM jobs
        WHERE id = ANY (:jobs)
        RETURNING id, tenant_id, size_bytes
    )
    INSERT INTO job_inputs (id, tenant_id, job_id, sha256, size_bytes, media_type)
    SELECT uuidv7(), tenant_id, id, repeat('0', 64), size_bytes, 'image/png' FROM job
"""


class Queue:
    """A database with so many queued rows, and the milliseconds of each claim from it."""

    def __init__(self, settings: Settings, database: Database, rows: int) -> None:
        self._settings, self._database, self.rows = settings, database, rows
        self._workers = [new_id() for _ in range(WORKERS)]
        self.rounds: list[list[float]] = []
        self._fill()

    def measure(self) -> None:
        """A round: all workers at once."""
        with ThreadPoolExecutor(WORKERS) as pool:
            parts = list(pool.map(self._claims, self._workers))
        self.rounds.append([took for part in parts for took in part])

    def waiting(self) -> int:
        """Queued rows."""
        with self._database.begin() as session:
            return session.scalar(select(func.count()).select_from(Job).where(Job.state == "queued")) or 0

    def _claims(self, worker: UUID) -> list[float]:
        return [self._claim(worker) for _ in range(CLAIMS)]

    def _claim(self, worker: UUID) -> float:
        """Milliseconds of the statement; a claim that another worker was faster with counts as well."""
        settings = self._settings
        statement = turns.claim(worker, list(Modality), settings.claim_size, settings.lease_s, settings.ageing_s)
        with self._database.begin() as session:
            begun = time.perf_counter()
            rows = session.execute(statement).all()
            took = (time.perf_counter() - begun) * 1000
        if rows[0].id is not None:
            self._end(rows)
        return took

    def _end(self, rows: Sequence[Row[Any]]) -> None:
        claim, ids = rows[0].claim_id, [row.id for row in rows]
        with self._database.begin() as session:
            session.execute(statements.finish(claim, [failed(_held(row), "deadline") for row in rows]))
            session.execute(statements.end_claim(claim))
            session.execute(text(_AGAIN), {"jobs": ids})

    def _fill(self) -> None:
        with self._database.begin() as session:
            for number in range(HOSPITALS):
                tenant = people.ensure_tenant(session, f"hospital {number}")
                people.ensure_principal(session, tenant, "pacs", [Role.SUBMITTER], "system")
            for worker in self._workers:
                session.execute(insert(Worker).values(id=worker, host="bench", pid=1, modalities=[], report={}))
            # Rows that we made ourselves need no check of each one's references.
            session.execute(text("SET LOCAL session_replication_role = replica; SET LOCAL statement_timeout = 0"))
            session.execute(text(_JOBS), {"rows": self.rows, "hospitals": HOSPITALS})
            session.execute(text(_INPUTS))
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM (ANALYZE) jobs, job_inputs"))


def main() -> None:
    """Measure and write."""
    with bench() as place, _queues(place) as (few, many):
        for _ in range(1 + ROUNDS):
            few.measure()
            many.measure()
        claims = _judged(few, many)
    tell("claims", claims)


@contextmanager
def _queues(place: Bench) -> Iterator[tuple[Queue, Queue]]:
    url = make_url(place.settings.database_url.get_secret_value())
    with place.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE many"))
    other = place.settings.changed(
        database_url=SecretStr(url.set(database="many").render_as_string(hide_password=False))
    )
    upgrade(other)
    database = Database(other)
    try:
        install_starters(place.settings, place.database)
        install_starters(other, database)
        yield Queue(place.settings, place.database, FEW), Queue(other, database, MANY)
    finally:
        database.close()


def _judged(few: Queue, many: Queue) -> list[Claim]:
    short, long = few.rounds[1:], many.rounds[1:]  # the first makes plans and fills caches
    ratios = [statistics.median(b) / statistics.median(a) for a, b in zip(short, long, strict=True)]
    return [
        at_most(
            f"a claim at {MANY:,} queued rows beside one at {FEW:,}, {HOSPITALS} hospitals", ratios, "times", LIMIT
        ),
        *(
            figure(f"a claim at {queue.rows:,} queued rows, {name}", [pick(one) for one in rounds], "ms")
            for queue, rounds in ((few, short), (many, long))
            for name, pick in (("median", statistics.median), ("p95", _p95))
        ),
        at_most("rows lost or doubled by all claims", [abs(q.waiting() - q.rows) for q in (few, many)], "rows", 0),
    ]


def _held(row: Row[Any]) -> Held:
    return Held(row.id, row.tenant_id, row.sha256, row.media_type, None, None, row.created_at, row.started_at, b"")


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


if __name__ == "__main__":
    main()
