"""Faults of PostgreSQL, Redis and the disks, and the end of everything at once."""

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import redis
from sqlalchemy import text

from tests.chaos.arena import MISSED, Act, Arena
from tests.chaos.service_acts import freeze
from tests.chaos.stack import ENGINES, SERVICES

_BACKENDS = text(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'thoracle' AND pid <> pg_backend_pid()
    """
)
_FULL = "1mb"


def postgres() -> list[Act]:
    """Each once."""
    return [
        _act("kill -9", "postgres", lambda arena, _: _killed(arena, "postgres", family=False)),
        _act("kill -9 of all its processes", "postgres", lambda arena, _: _killed(arena, "postgres", family=True)),
        _act("kill -9 of a backend", "postgres", _kill_backend),
        _act("backends terminated", "postgres", _terminate_backends),
        _act(
            "stopped and started",
            "postgres",
            lambda arena, _: f"ended in {arena.stack['postgres'].terminate().seconds:.1f} s",
        ),
        freeze("postgres", 2, 6),
    ]


def valkey() -> list[Act]:
    """Each once."""
    return [
        _act("kill -9", "valkey", lambda arena, _: _killed(arena, "valkey", family=False)),
        _act("started again empty", "valkey", _start_empty),
        _act("restored old", "valkey", _restore_old),
        _act("FLUSHALL", "valkey", lambda arena, _: _asked(arena, lambda client: client.flushall())),
        _act("memory full", "valkey", _fill_memory),
        freeze("valkey", 3, 8),
        _act("disk full", "valkey", lambda arena, chance: _fill_disk(arena, chance, "valkey")),
    ]


def disks() -> list[Act]:
    """The uploads' disk."""
    return [_act("disk full", "blobs", lambda arena, chance: _fill_disk(arena, chance, "blobs"))]


def machine() -> Act:
    """kill -9 of every process at once."""

    def run(arena: Arena, _: random.Random) -> str:
        for name in (*SERVICES, *ENGINES):
            # Not what a service has started: its resource tracker frees the shared memory, as a real fall would.
            arena.stack[name].kill("all at once", family=name in ENGINES)
        return "killed"

    return _act("everything killed at once", "machine", run)


def _act(fault: str, victim: str, run: Callable[[Arena, random.Random], str]) -> Act:
    return Act(fault, victim, run)


def _killed(arena: Arena, name: str, *, family: bool) -> str:
    arena.up(name, 20)
    arena.stack[name].kill(family=family)
    return "killed"


def _kill_backend(arena: Arena, chance: random.Random) -> str:
    """PostgreSQL then ends all sessions and recovers."""
    life = arena.stack["postgres"].life
    backends = life.family() if life is not None else []
    if not backends:
        return MISSED
    chance.choice(backends).send_signal(SIGKILL)
    return "killed"


def _terminate_backends(arena: Arena, _: random.Random) -> str:
    if not arena.up("postgres", 20):
        return MISSED
    with arena.stack.database.begin() as session:
        return f"{len(session.execute(_BACKENDS).all())} terminated"


def _asked(arena: Arena, ask: Callable[[redis.Redis], Any]) -> str:
    with arena.stack.valkey() as client:
        ask(client)
    return "done"


def _start_empty(arena: Arena, _: random.Random) -> str:
    arena.stack["valkey"].edit(lambda: _empty(arena.stack.disks["valkey"].folder), "emptied")
    return "emptied"


def _restore_old(arena: Arena, chance: random.Random) -> str:
    """What was copied from a running server is what it was a while ago."""
    folder = arena.stack.disks["valkey"].folder
    copy = folder.with_name("valkey-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    arena.rest(chance.uniform(4, 10))

    def change() -> None:
        _empty(folder)
        shutil.copytree(copy, folder, dirs_exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, *_owner(folder.parent / "postgres"))

    arena.stack["valkey"].edit(change, "restored old")
    return "restored"


def _fill_memory(arena: Arena, chance: random.Random) -> str:
    _asked(arena, lambda client: client.config_set("maxmemory", _FULL))
    arena.rest(chance.uniform(3, 8))
    with suppress(redis.RedisError):  # it may have been killed meanwhile, and has room again
        _asked(arena, lambda client: client.config_set("maxmemory", "0"))
    return "full"


def _fill_disk(arena: Arena, chance: random.Random, name: str) -> str:
    disk = arena.stack.disks[name]
    if disk.reason:
        return disk.reason
    disk.fill()
    try:
        arena.rest(chance.uniform(3, 7))
    finally:
        disk.free()
    return "full"


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid
