"""Faults of one service process: killed, frozen, told to end, with another clock, with bad lines to the engines."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

from tests.chaos.arena import MISSED, Act, Arena
from tests.chaos.processes import Kill
from tests.chaos.proxy import Proxy

_FAKETIME = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")
_UP_S = 30.0  # which a process has for its start
NO_FAKETIME = "libfaketime is not installed"


def kill(victim: str) -> Act:
    """kill -9."""

    def run(arena: Arena, chance: random.Random) -> str:
        arena.up(victim, _UP_S)
        arena.rest(chance.uniform(0, 2))
        arena.stack[victim].kill()
        return "killed"

    return Act("kill -9", victim, run)


def kill_child(victim: str) -> Act:
    """kill -9 of one process that a worker has started: a sandbox's child, or what they are forked from."""

    def run(arena: Arena, chance: random.Random) -> str:
        arena.up(victim, _UP_S)
        life = arena.stack[victim].life
        children = sorted(life.family(), key=lambda child: child.pid) if life is not None else []
        if not children:
            return MISSED
        child = chance.choice(children)
        child.send_signal(SIGKILL)
        arena.children.append(Kill(f"child of {victim}", child.pid, "kill -9", time.time()))
        return "killed"

    return Act("kill -9 a child", victim, run)


def freeze(victim: str, low: float, high: float, fault: str = "SIGSTOP, SIGCONT") -> Act:
    """Frozen for a while (seconds), with its children, and thawed."""

    def run(arena: Arena, chance: random.Random) -> str:
        arena.up(victim, _UP_S)
        life = arena.stack[victim].life
        assert life is not None
        life.signal(SIGSTOP, family=True)
        try:
            arena.rest(chance.uniform(low, high))
        finally:
            life.signal(SIGCONT, family=True)
        return "thawed"

    return Act(fault, victim, run)


def zombie(victim: str, lease: float) -> Act:
    """Frozen until others have its work, and thawed."""
    return freeze(victim, lease + 2, lease + 5, "frozen past its lease")


def terminate(victim: str) -> Act:
    """SIGTERM under load."""

    def run(arena: Arena, _: random.Random) -> str:
        if not arena.up(victim, 2 * _UP_S):
            return MISSED
        stop = arena.stack[victim].terminate()
        return f"exit {stop.code}"

    return Act("SIGTERM", victim, run)


def skew(victim: str, by: str) -> Act:
    """Another clock for a while, by `+1d` or `-1d`."""

    def run(arena: Arena, chance: random.Random) -> str:
        library = faketime()
        if library is None:
            return NO_FAKETIME
        faked = {"LD_PRELOAD": library, "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        arena.stack[victim].start(**faked)
        arena.up(victim, _UP_S)
        arena.rest(chance.uniform(5, 10))
        arena.stack[victim].kill("end of another clock")
        return "skewed"

    return Act(f"clock {by}", victim, run)


def faketime() -> str | None:
    """The library that gives a process another clock, if it is installed."""
    found = [path for pattern in _FAKETIME for path in Path("/").glob(pattern.removeprefix("/"))]
    return str(found[0]) if found else None


def lines(victim: str) -> list[Act]:
    """Everything that can become of its connections."""

    def act(fault: str, engine: int, spoil: Callable[[Proxy], None], low: float, high: float) -> Act:
        def run(arena: Arena, chance: random.Random) -> str:
            line = arena.stack.lines[victim][engine]
            arena.up(victim, _UP_S)
            spoil(line)
            try:
                arena.rest(chance.uniform(low, high))
            finally:
                line.heal()
            return "healed"

        return Act(fault, victim, run)

    def refuse(line: Proxy) -> None:
        line.refusing = True
        line.cut()

    def slow(line: Proxy) -> None:
        line.delay = 0.2

    return [
        act("PostgreSQL's lines cut", 0, Proxy.cut, 0, 0.1),
        act("PostgreSQL out of reach", 0, refuse, 1, 4),
        act("PostgreSQL's lines hang", 0, Proxy.hang, 1, 4),
        act("PostgreSQL's lines slow", 0, slow, 2, 4),
        act("Redis' lines cut", 1, Proxy.cut, 0, 0.1),
        act("Redis out of reach", 1, refuse, 1, 6),
        act("Redis' lines hang", 1, Proxy.hang, 2, 7),
    ]


def lose_commits(victim: str) -> Act:
    """COMMITs that happen and nobody hears of."""

    def run(arena: Arena, chance: random.Random) -> str:
        line = arena.stack.lines[victim][0]
        arena.up(victim, _UP_S)
        before, count = line.lost_answers, chance.randint(1, 4)
        line.lose_commits(count)
        arena.until(lambda: line.lost_answers >= before + count, 8)
        line.heal()
        return f"{line.lost_answers - before} lost" if line.lost_answers > before else MISSED

    return Act("COMMIT's answer lost", victim, run)


def popped(victim: str) -> Act:
    """kill -9 when a message is taken from Redis and not remembered there yet."""

    def run(arena: Arena, _: random.Random) -> str:
        kept, line = arena.stack[victim], arena.stack.lines[victim][1]
        arena.up(victim, _UP_S)
        life = kept.life
        assert life is not None
        line.at_pop(lambda: kept.strike(life, "behind BRPOP"))
        if not arena.until(lambda: not life.alive, 15):
            line.heal()
            return MISSED
        return "killed"

    return Act("killed behind BRPOP", victim, run)
