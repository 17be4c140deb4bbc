"""Must show: 20 promotions and rollbacks during load, and nothing that mixes versions or lacks one.

`python -m bench.promotions`. Two workers, four clients that send study after study, and a batch before each move. The
two versions' scores lie so far apart that a score says which of them made it.
"""

import io
import itertools
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
from sqlalchemy import text

from bench.inputs import coughs
from bench.record import Claim, at_least, at_most, figure, tell
from bench.stack import Bench, bench
from shared.deployments import open_deployment, publish
from shared.registry import Artefact, store
from shared.schemas import Modality
from tests.support.stack import wait_for
from tests.support.versions import tiny

MOVES, ITEMS, CLIENTS, PAUSE_S = 20, 100, 4, 1.0
HERE = f"/v1/deployments/{Modality.COUGH}"
_APART = 1000.0  # the mean of a cough's features, over 1,000, stays far below it

# What must not be; each counts rows.
_FAULTS = {
    "jobs without a result": "SELECT count(*) FROM jobs WHERE state <> 'succeeded'",
    "results that name no version, or another than their job": (
        "SELECT count(*) FROM jobs j LEFT JOIN results r ON r.job_id = j.id WHERE r.version_id IS NULL "
        "OR r.version_id <> j.version_id OR r.version_id <> j.requested_id"
    ),
    "results that another version made than they name": (
        "SELECT count(*) FROM results r JOIN versions v ON v.id = r.version_id "
        "WHERE (v.name = 'second') <> (r.score > 500)"
    ),
    "claims that mix versions, or made results of another": (
        "SELECT count(*) FROM claims c WHERE EXISTS (SELECT FROM results r WHERE r.claim_id = c.id "
        "AND r.version_id <> c.version_id)"
    ),
    "batches that mix versions": (
        "SELECT count(*) FROM (SELECT j.batch_id FROM jobs j JOIN results r ON r.job_id = j.id "
        "WHERE j.batch_id IS NOT NULL GROUP BY j.batch_id HAVING count(DISTINCT r.version_id) > 1) AS mixed"
    ),
}
_SHARE = "SELECT count(*) FROM results r JOIN versions v ON v.id = r.version_id WHERE v.name = :name"


class Load:
    """Clients that send study after study; `refused` collects every answer that is no success."""

    def __init__(self, place: Bench) -> None:
        self._place, self._bodies = place, coughs(500)
        self._numbers = itertools.count()
        self._over = threading.Event()
        self.refused: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send while the block runs."""
        clients = [self._place.client(f"hospital {number % 2}") for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            sent = [pool.submit(self._send, client) for client in clients]
            try:
                yield
            finally:
                self._over.set()
        for one in sent:
            one.result()

    def good(self, answer: httpx.Response) -> httpx.Response:
        """Keep an answer that is none of success."""
        if not answer.is_success:
            self.refused.append(f"{answer.request.method} {answer.request.url.path}: {answer.status_code}")
        return answer

    def _send(self, client: httpx.Client) -> None:
        form, headers = {"modality": str(Modality.COUGH)}, {"Prefer": "wait=20"}
        with client:
            while not self._over.is_set():
                body = self._bodies[next(self._numbers) % len(self._bodies)]
                self.good(client.post("/v1/jobs", files={"file": ("x", body)}, data=form, headers=headers))


def main() -> None:
    """Measure and write."""
    with bench(rate_per_s=0) as place:
        _publish(place)
        place.gateway()
        for _ in range(2):
            place.worker()
        load = Load(place)
        begun = time.monotonic()
        with load.running(), place.client() as operator:
            waits = [_move(load, operator, number) for number in range(MOVES)]
        wait_for(
            lambda: not _count(place, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"), 120, "ends"
        )
        tell("promotions", _judged(place, load, waits, time.monotonic() - begun))


def _publish(place: Bench) -> None:
    for name, bias in (("first", 0.0), ("second", _APART)):
        artefact = store(tiny(place.settings.home / name, Modality.COUGH, name, bias), place.settings.versions_dir)
        _register(place, artefact)


def _register(place: Bench, artefact: Artefact) -> None:
    with place.database.begin() as session:
        open_deployment(session, publish(session, artefact, "bench"), "bench")


def _move(load: Load, operator: httpx.Client, number: int) -> float:
    """A batch, then a promotion or, every other time, a rollback; the milliseconds of the move."""
    headers = {"Content-Type": "application/zip", "Idempotency-Key": f"batch {number}"}
    load.good(operator.post("/v1/batches", content=_archive(number), headers=headers))
    time.sleep(PAUSE_S)
    begun = time.perf_counter()
    if number % 2:
        load.good(operator.post(f"{HERE}/rollback", json={"reason": "bench"}))
    else:
        match = {"If-Match": operator.get(HERE).headers["ETag"], "Prefer": "wait=20"}
        body = {"version": "second", "reason": "bench", "override": "neither version has figures"}
        load.good(operator.put(HERE, json=body, headers=match))
    return (time.perf_counter() - begun) * 1000


def _archive(number: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for at, body in enumerate(coughs(ITEMS)):
            archive.writestr(f"{at}.wav", body + number.to_bytes(2, "big"))
        archive.writestr("manifest.csv", "file,modality\n" + "".join(f"{at}.wav,cough\n" for at in range(ITEMS)))
    return file.getvalue()


def _judged(place: Bench, load: Load, waits: list[float], seconds: float) -> list[Claim]:
    moved = _count(place, "SELECT count(*) FROM deployment_events WHERE action IN ('promote', 'rollback')")
    answered = [_count(place, _SHARE, name=name) for name in ("first", "second")]
    return [
        at_least("promotions and rollbacks during load", [moved], "moves", MOVES),
        at_most("answers that were no success", [len(load.refused)], "answers", 0, "; ".join(load.refused[:5])),
        *(at_most(name, [_count(place, query)], "rows", 0) for name, query in _FAULTS.items()),
        at_least("jobs of the version that answered less", [min(answered)], "jobs", MOVES),
        figure("jobs meanwhile", [sum(answered) / seconds], "jobs/s"),
        figure("a move, workers' proof included", waits, "ms"),
    ]


def _count(place: Bench, query: str, **values: str) -> int:
    with place.database.begin() as session:
        return int(session.scalar(text(query), values) or 0)


if __name__ == "__main__":
    main()
