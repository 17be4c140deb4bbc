"""One run: start everything, do to it what the seed says, let it come to rest, judge it."""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGCONT
from typing import Any

import redis
from sqlalchemy import text

from shared.db.engine import Database
from tests.chaos.arena import Arena, Done
from tests.chaos.checker import Evidence, check
from tests.chaos.journal import Journal, read
from tests.chaos.load import Load
from tests.chaos.plan import Stream, streams
from tests.chaos.processes import Kill
from tests.chaos.query import Violation
from tests.chaos.recovery import recoveries
from tests.chaos.stack import ENGINES, QUICK, SERVICES, Stack, stack
from tests.support.memory import memory
from tests.support.receiver import Receiver, receiver

Say = Callable[[str], None]
_REST_S, _PER_JOB_S, _TOLD_S = 60.0, 0.5, 240.0
_OPEN = """
    SELECT (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running'))
         + (SELECT count(*) FROM training_runs WHERE state IN ('queued', 'running'))
         + (SELECT count(*) FROM explanations WHERE state = 'waiting' AND COALESCE(lease_until < now(), true))
"""
_UNTOLD = "SELECT count(*) FROM deliveries WHERE state = 'waiting'"  # their pauses grow to minutes
_STATES = "SELECT state, count(*) AS jobs FROM jobs GROUP BY 1"


@dataclass
class Outcome:
    """What a run was and what came of it. `rested`: seconds until nothing was open any more, None if that never came.

    `crashes`: ends that no fault explains, by process and exit code.
    """

    seed: int
    seconds: float
    settings: dict[str, float]
    done: list[Done] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    jobs: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    crashes: dict[str, dict[int, int]] = field(default_factory=dict)
    rested: float | None = None
    messages: int = 0

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> "Outcome":
        """What `as_json` told."""
        lists = {"done": Done, "kills": Kill, "violations": Violation}
        return cls(**{**told, **{name: [kind(**each) for each in told[name]] for name, kind in lists.items()}})


def run(
    seed: int,
    seconds: float,
    *,
    quick: bool,
    pace: float = 1.0,
    longest: float = 1.5,
    say: Say = lambda _: None,
    home: Path | None = None,
) -> Outcome:
    """Faults for `seconds`, up to `longest` times that until each kind has happened once; then rest and judgement.

    `quick`: short leases.
    """
    with _home(home) as folder, receiver() as told, stack(folder, QUICK if quick else {}) as running:
        names = ("lease_s", "heartbeat_s", "idle_look_s", "max_attempts", "sandbox_seconds")
        outcome = Outcome(seed, seconds, {name: getattr(running.settings, name) for name in names})
        with Journal(folder / "journal") as journal, Load(running, journal, seed, told.url) as load:
            arena = Arena(running, load)
            _strike(arena, streams(running.settings.lease_s, pace), outcome, seconds * longest, say)
            outcome.seconds = time.monotonic() - arena.began
            _heal(arena)
            load.stop()
        say("The faults are over; waiting until everything is at rest.")
        outcome.rested = _rest(running.database, _OPEN, _REST_S + _PER_JOB_S * _count(running.database, _OPEN))
        _rest(running.database, _UNTOLD, _TOLD_S)
        for name in SERVICES:
            running[name].let_go()
        _judge(outcome, running, arena, told, folder)
    return outcome


@contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="thoracle-chaos-", dir=memory(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _strike(arena: Arena, plan: list[Stream], outcome: Outcome, most: float, say: Say) -> None:
    """Every stream in a thread of its own until the time is over, and each has gone through its first round."""
    through = {stream.name: threading.Event() for stream in plan}
    threads = [
        threading.Thread(target=_flow, args=(arena, stream, outcome.seed, through[stream.name]), daemon=True)
        for stream in plan
    ]
    for thread in threads:
        thread.start()
    now = time.monotonic
    while now() - arena.began < most:
        if now() - arena.began >= outcome.seconds and all(event.is_set() for event in through.values()):
            break
        time.sleep(1)
        if int(now() - arena.began) % 30 == 0:
            say(f"{now() - arena.began:.0f} s: {len(arena.done)} faults, {dict(arena.load.done)}")
    arena.stopping.set()
    for thread in threads:
        thread.join()


def _flow(arena: Arena, stream: Stream, seed: int, through: threading.Event) -> None:
    chance = random.Random(f"{seed}/{stream.name}/how")
    for rest, act, last in stream.draw(seed):
        arena.rest(rest)
        if arena.stopping.is_set():
            return
        arena.perform(act, chance)
        if last:
            through.set()


def _heal(arena: Arena) -> None:
    """Whatever is still broken is whole again: lines, disks, memory, and what is frozen."""
    running = arena.stack
    running.wires.heal()
    for disk in running.disks.values():
        disk.free()
    for name in (*ENGINES, *SERVICES):
        life = running[name].life
        if life is not None:
            life.signal(SIGCONT, family=True)
    running.await_up()
    with running.valkey(5) as client:
        try:
            client.config_set("maxmemory", "0")
        except redis.RedisError:
            running[ENGINES[1]].kill()


def _rest(database: Database, query: str, most: float) -> float | None:
    """Seconds until nothing of it is left; None if that took longer than `most`."""
    began = time.monotonic()
    while time.monotonic() - began < most:
        if _count(database, query) == 0:
            return time.monotonic() - began
        time.sleep(0.5)
    return None


def _count(database: Database, query: str) -> int:
    with database.begin() as session:
        return session.scalar(text(query)) or 0


def _judge(outcome: Outcome, running: Stack, arena: Arena, told: Receiver, folder: Path) -> None:
    kept = running.keeper.kept
    outcome.done = sorted(arena.done, key=lambda done: done.at)
    outcome.kills = sorted([*(k for each in kept.values() for k in each.kills), *arena.children], key=lambda k: k.at)
    outcome.crashes = {name: dict(each.crashes) for name, each in kept.items() if each.crashes}
    entries = read(folder / "journal")
    outcome.calls = dict(Counter(f"{entry.operation} {entry.status or 'unanswered'}" for entry in entries))
    outcome.messages = len(told.messages)
    stops = [stop for name in SERVICES for stop in kept[name].stops]
    evidence = Evidence(messages=told.messages, files=running.logs, stops=stops)
    outcome.violations = check(running.settings, running.database, entries, evidence)
    with running.database.begin() as session:
        outcome.jobs = {row.state: row.jobs for row in session.execute(text(_STATES))}
        outcome.recoveries = recoveries(session, [k for k in outcome.kills if k.process.startswith("worker-")])
