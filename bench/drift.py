"""Must show: the drift board over a million results answers in under a second, and claims meanwhile cost no more.

`python -m bench.drift`. One hospital's million results of thirty days, by three starters, four sites and two devices at
each, put into the tables by SQL and counted as a gateway counts them. Then rounds of claims, alone and beside a process
that reads the board and counts what the claims have just ended, every two seconds (a gateway counts once a minute).
"""

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import NamedTuple

import httpx
from sqlalchemy import text

from bench.claims import Queue
from bench.record import Claim, at_most, figure, tell
from bench.singles import p95
from bench.stack import Bench, bench
from services.api.drift.rolling import Rolling
from shared.db import people
from shared.db.engine import async_engine
from shared.deployments import install_starters
from shared.settings import Settings

RESULTS, WAITING = 1_000_000, 10_000
READS = 60
ROUNDS, PARTS = 10, 8  # parts of a round: 20 claims of two workers each
PAUSE_S = 2.0
LIMIT_MS, LIMIT_TIMES = 1000.0, 1.1

# The last two days of one site are quieter in the treble: what the board is for.
_JOBS = """
    INSERT INTO jobs (id, tenant_id, principal_id, modality, priority, version_id, state, site, device, started_at,
                      finished_at, ended_in)
    SELECT uuidv7(), p.tenant_id, p.id, v.modality, 1, v.id, CASE WHEN random() < 0.02 THEN 'rejected' ELSE 'succeeded'
           END, 'site ' || n / 3 % 4, 'device ' || n / 12 % 2, now(),
           now() - interval '30 days' * (1 - n::float8 / :rows), pg_current_xact_id()::text::bigint
    FROM generate_series(1, :rows) AS n
    JOIN (SELECT id, modality, row_number() OVER (ORDER BY modality) - 1 AS rank FROM versions) AS v ON v.rank = n % 3
    CROSS JOIN (SELECT p.id, p.tenant_id FROM principals p JOIN tenants t ON t.id = p.tenant_id
                WHERE t.name = 'north' LIMIT 1) AS p
"""
_RESULTS = """
    INSERT INTO results (job_id, tenant_id, version_id, claim_id, input_sha256, score, distance, probability, decision,
                         quality, reasons, runtime, timings, features)
    SELECT id, tenant_id, version_id, 1, repeat('0', 64), 0, distance, probability,
           CASE WHEN distance > 1.4 THEN 'refer' WHEN probability > 0.4 THEN 'flagged' ELSE 'not_flagged' END,
           '[]', '[]', '{}', '{}',
           CASE WHEN modality = 'chest_xray'
                THEN jsonb_build_object('brightness', 0.3 + bell / 10, 'contrast', 0.6 + bell / 12, 'side', 2048)
                ELSE jsonb_build_object('seconds', 4 + bell, 'level', -20 + 4 * bell, 'edge', 7000 + 400 * bell,
                                        'centroid', muffled * exp(7 + bell / 3), 'rolloff', muffled * exp(8 + bell / 3))
           END
    FROM (
        SELECT *, random() ^ 2 AS probability, 0.3 + random() ^ 3 * 1.3 AS distance,
               (random() + random() + random() + random() - 2) * 2 AS bell,
               CASE WHEN site = 'site 1' AND finished_at > now() - interval '2 days' THEN 0.4 ELSE 1 END AS muffled
        FROM jobs WHERE state = 'succeeded'
    ) AS drawn
"""
_COUNTED = """
    SELECT (SELECT sum(n) FROM rollups, unnest(counts) AS n WHERE measure = 'outcome' AND width = 86400)
         - (SELECT count(*) FROM jobs WHERE ended_in IS NOT NULL) AS difference,
           (SELECT count(*) FROM results) AS results, (SELECT count(*) FROM rollups) AS rollups
"""


class Round(NamedTuple):
    """Milliseconds of each claim, alone and beside."""

    alone: list[float]
    beside: list[float]


def main() -> None:
    """Measure and write."""
    with bench(rate_per_s=0) as place:
        install_starters(place.settings, place.database)
        queue = Queue(place.settings, place.database, WAITING)
        key = place.key()
        _fill(place)
        rate = asyncio.run(_counted(place.settings))
        place.gateway(THORACLE_DRIFT_EVERY_S="3600")
        reads = _reads(place, key)
        rounds = _rounds(place, queue, key)
        asyncio.run(_counted(place.settings))
        tell("drift", _judged(place, rate, reads, rounds))


def _fill(place: Bench) -> None:
    with place.database.begin() as session:
        people.ensure_tenant(session, "north")
        # Rows that we made ourselves need no check of each one's references.
        session.execute(text("SET LOCAL session_replication_role = replica; SET LOCAL statement_timeout = 0"))
        session.execute(text(_JOBS), {"rows": RESULTS})
        session.execute(text(_RESULTS))
    with place.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM (ANALYZE) jobs, results"))


async def _counted(settings: Settings) -> float:
    """Count what has ended and look for drift, as a gateway does; jobs a second."""
    engine = async_engine(settings)
    rolling, begun = Rolling(settings, engine), time.perf_counter()
    counted = await rolling.roll()
    took = time.perf_counter() - begun
    await rolling.look()
    await engine.dispose()
    return counted / took


def _reads(place: Bench, key: str) -> dict[str, list[float]]:
    """Milliseconds of each answer."""
    with _client(place.settings, key) as client:
        asked = {"board": "/v1/drift?days=30", "series": "/v1/drift/series?days=30", "site": "/v1/drift?site=site 1"}
        return {name: [_read(client, path) for _ in range(READS)] for name, path in asked.items()}


def _read(client: httpx.Client, path: str) -> float:
    begun = time.perf_counter()
    answer = client.get(path)
    answer.raise_for_status()
    return (time.perf_counter() - begun) * 1000


def _client(settings: Settings, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=settings.base_url, headers=headers, timeout=60, trust_env=False)


def _rounds(place: Bench, queue: Queue, key: str) -> list[Round]:
    with _meanwhile(place.settings, key) as (busy, idle):
        queue.measure()  # makes plans and fills caches
        return [_round(queue, busy, idle) for _ in range(ROUNDS)]


def _round(queue: Queue, busy: Event, idle: Event) -> Round:
    alone = _claims(queue)
    idle.clear()
    busy.set()
    beside = _claims(queue)
    busy.clear()
    idle.wait()
    return Round(alone, beside)


def _claims(queue: Queue) -> list[float]:
    queue.rounds.clear()
    for _ in range(PARTS):
        queue.measure()
    return [took for part in queue.rounds for took in part]


@contextmanager
def _meanwhile(settings: Settings, key: str) -> Iterator[tuple[Event, Event]]:
    """A process that reads and counts while the first event is set; it sets the second when it has stopped."""
    context = multiprocessing.get_context("spawn")
    busy, idle = context.Event(), context.Event()
    process = context.Process(target=_work, args=(settings, key, busy, idle), daemon=True)
    process.start()
    idle.wait()
    try:
        yield busy, idle
    finally:
        process.kill()
        process.join()


def _work(settings: Settings, key: str, busy: Event, idle: Event) -> None:
    asyncio.run(_working(settings, key, busy, idle))


async def _working(settings: Settings, key: str, busy: Event, idle: Event) -> None:
    rolling = Rolling(settings, async_engine(settings))
    with _client(settings, key) as client:
        while True:
            if not busy.is_set():
                idle.set()
                busy.wait()
            _read(client, "/v1/drift?days=30")
            await rolling.roll()
            await asyncio.sleep(PAUSE_S)


def _judged(place: Bench, rate: float, reads: dict[str, list[float]], rounds: list[Round]) -> list[Claim]:
    with place.database.begin() as session:
        counted = session.execute(text(_COUNTED)).one()
    ratios = [statistics.median(one.beside) / statistics.median(one.alone) for one in rounds]
    tails = [p95(one.beside) / p95(one.alone) for one in rounds]
    board, series, site = reads["board"], reads["series"], reads["site"]
    return [
        at_most(f"the board of thirty days over {counted.results:,} results, median", [_median(board)], "ms", LIMIT_MS),
        at_most("the same, slowest of twenty (p95)", [p95(board)], "ms", LIMIT_MS),
        at_most("its series, p95", [p95(series)], "ms", LIMIT_MS),
        at_most("one site's board of seven days, p95", [p95(site)], "ms", LIMIT_MS),
        at_most("a claim while the board is read and jobs are counted beside one alone", ratios, "times", LIMIT_TIMES),
        figure("the same, p95 beside p95", tails, "times"),
        figure("a claim alone, median", [_median(one.alone) for one in rounds], "ms"),
        figure("a claim meanwhile, median", [_median(one.beside) for one in rounds], "ms"),
        figure("counting", [rate], "jobs/s"),
        figure("rollups that hold it all", [counted.rollups], "rows"),
        at_most("jobs counted twice or not at all", [abs(counted.difference)], "jobs", 0),
    ]


def _median(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
