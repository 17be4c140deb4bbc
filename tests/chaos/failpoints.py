"""Every named failpoint, struck: a process is started with it armed, and what passes it is brought about."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.faults import POINTS
from tests.chaos.arena import MISSED, Act, Arena

ACTIONS = ("kill9", "raise", "hang")
_HUNG_S = 4.0  # after which an operator kills what answers nothing
_HOSTS = {"worker": "worker", "reaper": "worker", "shadow": "worker", "explain": "worker", "trainer": "trainer"}
_OFTEN = ("submit", "blob", "worker.claimed", "worker.loaded", "worker.prepared", "worker.predicted")
_PATIENCE_S, _MOST_S, _PROVOKE_S = {"reaper": 60.0, "shadow": 60.0, "explain": 60.0}, 20.0, 2.0
_START_S = 60.0

_HELD = text(
    """
    SELECT EXISTS (
        SELECT FROM claims c JOIN workers w ON w.id = c.worker_id WHERE w.pid = :pid AND c.ended_at IS NULL
    )
    """
)
Provoke = Callable[[Arena, random.Random, Act], None]


def _family(point: str) -> str:
    return point.partition(".")[0]


def host(point: str) -> str:
    """The kind of process that passes a point: gateway, worker or trainer."""
    return _HOSTS.get(_family(point), "gateway")


def points(kind: str) -> list[str]:
    """The points of one kind of process."""
    return sorted(point for point in POINTS if host(point) == kind)


def failpoint(victim: str, point: str, action: str) -> Act:
    """Start it with the point armed, wait for it to strike, and let it be what it was before."""

    def run(arena: Arena, chance: random.Random) -> str:
        kept, log = arena.stack[victim], arena.stack.log(victim)
        offset, passing = log.stat().st_size, chance.randint(1, 3) if point.startswith(_OFTEN) else 1
        life = kept.start(THORACLE_FAULT=f"{point}:{action}@{passing}")
        provoking = _NowAndThen(lambda: _PROVOKE.get(_family(point), _nothing)(arena, chance, act))
        arena.until(lambda: _struck(log, offset, point) or arena.stack.is_up(victim), _START_S, every=0.3)
        most = _PATIENCE_S.get(_family(point), _MOST_S)
        reached = arena.until(lambda: provoking() or _struck(log, offset, point), most)
        if action == "kill9" and reached:
            arena.until(lambda: not life.alive, 5)
        if action == "hang" and reached:
            arena.rest(_HUNG_S)
        if action == "hang" or not reached:
            kept.kill("hung" if reached else "restart")
        arena.rest(0.5)
        kept.disarm()
        return "struck" if reached else MISSED

    act = Act(f"{point}:{action}", victim, run)
    return act


def of(victim: str, kind: str, action: str, share: tuple[int, int] = (0, 1)) -> list[Act]:
    """The points of one victim; `share` (this one, of so many) divides those of two workers."""
    mine, among = share
    return [failpoint(victim, point, action) for point in points(kind)[mine::among]]


def _struck(log: Path, offset: int, point: str) -> bool:
    with log.open("rb") as stream:
        stream.seek(offset)
        return f"fault {point}\n".encode() in stream.read()


class _NowAndThen:
    """Does something every `_PROVOKE_S` seconds of the calls that it gets, and is never true."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do, self._due = do, time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() >= self._due:
            self._do()
            self._due = time.monotonic() + _PROVOKE_S
        return False


def _nothing(arena: Arena, chance: random.Random, act: Act) -> None:
    """The load passes it all the time."""


def _promote(arena: Arena, chance: random.Random, act: Act) -> None:
    arena.load.promote(chance)


def _train(arena: Arena, chance: random.Random, act: Act) -> None:
    arena.load.train()


def _lose(arena: Arena, chance: random.Random, act: Act) -> None:
    """The other worker dies while it holds something; then there is nothing to do for a lease's time."""
    other = arena.stack["worker-2" if act.victim == "worker-1" else "worker-1"]
    life = other.life
    if life is not None and arena.until(lambda: _holds(arena, life.pid), 1.0):
        other.kill("for the reaper")
        arena.rest(arena.stack.settings.lease_s)


def _holds(arena: Arena, pid: int) -> bool:
    with suppress(SQLAlchemyError), arena.stack.database.begin() as session:
        return bool(session.scalar(_HELD.bindparams(pid=pid)))
    return False


def _spoil(arena: Arena, chance: random.Random, act: Act) -> None:
    """An input that its child dies of is given back."""
    if ".giv" in act.fault:
        arena.load.spoil(chance, "exit")


def _judge(arena: Arena, chance: random.Random, act: Act) -> None:
    arena.load.judge(chance)


def _explain(arena: Arena, chance: random.Random, act: Act) -> None:
    arena.load.explain(chance)


def _bulk(arena: Arena, chance: random.Random, act: Act) -> None:
    arena.load.bulk(chance)


def _try_out(arena: Arena, chance: random.Random, act: Act) -> None:
    arena.load.try_out(chance)


_PROVOKE: dict[str, Provoke] = {
    "promote": _promote,
    "trainer": _train,
    "reaper": _lose,
    "worker": _spoil,
    "judge": _judge,
    "explain": _explain,
    "batch": _bulk,
    "shadow": _try_out,
}
