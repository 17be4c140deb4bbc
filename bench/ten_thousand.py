"""Ten thousand real coughs from one command on a whole service: every outcome once, the counts right all the way.

`python -m bench.ten_thousand [--data FOLDER]`. Gateway, one worker, engines, the command and a second one that follows
the results share the machine.
"""

import csv
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import func, select

from bench.coughs import coughs, recording_of, recordings
from bench.record import Claim, at_most, figure, tell
from bench.stack import Bench, bench
from shared.db.tables import Result
from shared.deployments import install_starters
from shared.settings import child_environment
from tests.support.stack import wait_for

COUNT = 10_000
_ENDED = ("succeeded", "failed", "rejected", "cancelled", "dead")
_SAME = 1e-4  # the same recording in another group: single precision, other order of sums


def main() -> None:
    """Measure and write."""
    found = recordings("ten_thousand", "Ten thousand coughs from one command.")
    with bench() as place, tempfile.TemporaryDirectory(dir=place.settings.home) as folder:
        install_starters(place.settings, place.database)
        source = Path(folder) / "coughs"
        source.mkdir()
        for name, body in coughs(found, COUNT, "ten thousand"):
            (source / name).write_bytes(body)
        claims = _measured(place, source, Path(folder) / "results.csv")
    tell("ten_thousand", claims)


def _measured(place: Bench, source: Path, table: Path) -> list[Claim]:
    gateway = psutil.Process(place.gateway().popen.pid)
    place.start("services.worker")
    with place.client() as client:
        wait_for(lambda: client.get("/health/ready").status_code == httpx.codes.OK, 60, "a worker is ready")
        idle = gateway.memory_info().rss
        with _memory(gateway) as samples, place.client() as other:
            begun = time.perf_counter()
            submit = _command(place, "submit", str(source), "--modality", "cough", "--watch", "--json")
            batch = wait_for(lambda: _begun(other), 60, "the batch is there")
            with table.open("w") as out:
                follow = _command(place, "results", batch, "--follow", out=out)
                polls = _polled(other, batch, submit)
                seconds = time.perf_counter() - begun
                _ended(submit, follow)
    with place.database.begin() as session:
        results = session.scalar(select(func.count()).select_from(Result)) or 0
    return [
        *_of_table(table, {path.name for path in source.iterdir()}, results),
        at_most("polls whose counts do not add up or go back", [polls.wrong], "polls", 0),
        figure("polls", [polls.seen], "polls"),
        at_most("the gateway's memory above idle, at most", [(max(samples) - idle) / 2**20], "MB", 60),
        figure("the gateway's memory, idle", [idle / 2**20], "MB"),
        figure("from the command's start to its end", [seconds], "s"),
        figure("coughs a second, from the command's start to its end", [COUNT / seconds], "1/s"),
        figure("until all were accepted", [polls.accepted_s], "s"),
    ]


@dataclass
class Polls:
    """What the counts said, one look after the other."""

    seen: int = 0
    wrong: int = 0
    accepted_s: float = 0.0
    _last: dict[str, int] = field(default_factory=dict)

    def look(self, batch: dict[str, Any]) -> None:
        """Add a look: the sum is the total, and nothing that has ended or can be read becomes less."""
        states = batch["states"]
        ended = {name: states.get(name, 0) for name in _ENDED}
        now = {**ended, "jobs": batch["jobs"], "readable": batch["readable"]}
        adds_up = sum(states.values()) == batch["jobs"] and batch["readable"] <= sum(ended.values())
        grows = all(now[name] >= count for name, count in self._last.items())
        self.seen += 1
        self.wrong += not (adds_up and grows)
        self._last = now


def _polled(client: httpx.Client, batch: str, submit: subprocess.Popen[str]) -> Polls:
    polls, begun = Polls(), time.perf_counter()
    while submit.poll() is None:
        shown = client.get(f"/v1/batches/{batch}").raise_for_status().json()
        polls.look(shown)
        if shown["jobs"] == COUNT and not polls.accepted_s:
            polls.accepted_s = time.perf_counter() - begun
        time.sleep(0.3)
    return polls


def _of_table(table: Path, names: set[str], results: int) -> list[Claim]:
    """What the CSV says that was read while the batch ran."""
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    each = Counter(row["item"] for row in rows)
    states = Counter(row["status"] for row in rows)
    missing, double = len(names - each.keys()), sum(count - 1 for count in each.values())
    return [
        at_most("coughs without an outcome in the CSV that was read while it ran", [missing], "coughs", 0),
        at_most("rows of it beyond one a cough", [double], "rows", 0),
        at_most("coughs that ended without an answer to the cough itself", [_unanswered(states)], "coughs", 0),
        at_most("results in the database that the CSV lacks", [abs(results - states["succeeded"])], "results", 0),
        at_most("coughs answered unlike another repetition of their recording", [_unlike(rows)], "coughs", 0),
        figure("coughs with a result", [states["succeeded"]], "coughs"),
        figure("coughs that were rejected with a reason", [states["rejected"]], "coughs"),
    ]


def _unanswered(states: Counter[str]) -> int:
    return sum(count for state, count in states.items() if state not in ("succeeded", "rejected"))


def _unlike(rows: Sequence[dict[str, str]]) -> int:
    first: dict[str, tuple[str, float]] = {}
    unlike = 0
    for row in rows:
        said = row["status"], float(row["probability"] or 0)
        status, probability = first.setdefault(recording_of(row["item"]), said)
        unlike += status != said[0] or abs(probability - said[1]) > _SAME
    return unlike


def _command(place: Bench, *words: str, out: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """`thoracle batch ...` as a user runs it, in a process of its own."""
    environment = child_environment(THORACLE_URL=place.settings.base_url, THORACLE_KEY=place.key())
    command = [sys.executable, "-m", "cli.main", "batch", *words]
    return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.PIPE, text=True)


def _begun(client: httpx.Client) -> str | None:
    batches = client.get("/v1/batches").raise_for_status().json()["batches"]
    return batches[0]["id"] if batches and batches[0]["jobs"] else None


def _ended(submit: subprocess.Popen[str], follow: subprocess.Popen[str]) -> None:
    """Both commands, to their ends. Raises SystemExit with what they said when one failed."""
    for name, child in (("submit", submit), ("results", follow)):
        _, said = child.communicate(timeout=120)
        if child.returncode not in (0, 1):  # 1: some were rejected, which is counted
            raise SystemExit(f"{name}: {said}")


@contextmanager
def _memory(process: psutil.Process) -> Iterator[list[int]]:
    """Resident bytes, four times a second."""
    samples, over = [process.memory_info().rss], threading.Event()

    def sample() -> None:
        while not over.wait(0.25):
            samples.append(process.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()
