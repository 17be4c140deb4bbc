"""What clients do to the service: far too much, far too slowly, half, poisonous, all at the same moment."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence

import httpx

from tests.chaos.arena import MISSED, Act, Arena, Run
from tests.chaos.stack import HOSPITALS
from tests.chaos.staged import POISONS

_SLOW_CLIENTS, _THREADS = 200, 10
_HEAD = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n"


def clients() -> list[Act]:
    """Each once."""
    acts = {
        "overload x10": _overload,
        "200 slow clients": _crawl,
        "polls cancelled": _cancel_polls,
        "uploads cut off": _cut_uploads,
        "one key, at the same moment": _same_key,
        **{f"poison: {kind}": _poisonous(kind) for kind in POISONS},
    }
    return [Act(fault, "clients", _while_it_answers(run)) for fault, run in acts.items()]


def _while_it_answers(run: Run) -> Run:
    def begin(arena: Arena, chance: random.Random) -> str:
        return run(arena, chance) if arena.up("gateway", 30) else MISSED

    return begin


def _overload(arena: Arena, chance: random.Random) -> str:
    """Ten threads that do not rest, for eight seconds."""
    seeds, before = [chance.random() for _ in range(_THREADS)], arena.load.done["accepted"]
    end = time.monotonic() + 8
    _together([lambda seed=seed: _submit_until(arena, seed, end) for seed in seeds])
    return f"{arena.load.done['accepted'] - before} more accepted"


def _submit_until(arena: Arena, seed: float, end: float) -> None:
    chance = random.Random(seed)
    with arena.load.guest(chance.choice(HOSPITALS)) as client:
        while time.monotonic() < end and not arena.stopping.is_set():
            arena.load.submit(client, chance, tries=2)


def _crawl(arena: Arena, _: random.Random) -> str:
    """Two hundred that send a byte now and then, headers or body; is it alive meanwhile?."""
    slowest = list[float]()
    crawling = threading.Thread(target=lambda: asyncio.run(_crawl_all(arena.stack.settings.port, 10.0)))
    crawling.start()
    while crawling.is_alive():
        began = time.monotonic()
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"{arena.stack.settings.base_url}/health/live", timeout=10, trust_env=False)
            slowest.append(time.monotonic() - began)
        time.sleep(0.2)
    crawling.join()
    return f"alive within {max(slowest, default=0) * 1000:.0f} ms" if slowest else "away meanwhile"


async def _crawl_all(port: int, seconds: float) -> None:
    await asyncio.gather(*(_crawl_one(port, seconds) for _ in range(_SLOW_CLIENTS)), return_exceptions=True)


async def _crawl_one(port: int, seconds: float) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_HEAD % 100000)
        for _ in range(int(seconds)):
            writer.write(b"X")
            await writer.drain()
            await asyncio.sleep(1)
    finally:
        writer.transport.abort()


def _cancel_polls(arena: Arena, chance: random.Random) -> str:
    """Long polls of which nobody waits for the end."""
    with arena.load.guest(chance.choice(HOSPITALS)) as client:
        jobs = [job for _ in range(5) if (job := arena.load.submit(client, chance, tries=3))]

    def leave(job: str, timeout: float) -> None:
        with arena.load.guest(client.tenant) as guest:
            guest.look(job, wait=20, timeout=timeout)

    polls = [lambda job=job: leave(job, chance.uniform(0.01, 0.5)) for job in jobs * 8]
    _together(polls)
    return f"{len(polls)} left"


def _cut_uploads(arena: Arena, chance: random.Random) -> str:
    """Connections reset in the middle of a file."""
    key = arena.stack.keys[HOSPITALS[0]].encode()
    for _ in range(20):
        body = chance.randbytes(chance.randint(1, 60_000))
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", arena.stack.settings.port), 3) as line,
        ):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends a reset
            start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
            line.sendall(_HEAD % 100_000 + b"Authorization: Bearer " + key + b"\r\n\r\n" + start + body)
    return "20 cut"


def _same_key(arena: Arena, chance: random.Random) -> str:
    """One request from twenty threads."""
    given, key = arena.load.next_input(chance), f"same-{chance.random()}"
    hospital, answers = chance.choice(HOSPITALS), set[str | None]()

    def ask() -> None:
        with arena.load.guest(hospital) as client:
            answers.add(client.submit(given, key, tries=5))

    _together([ask] * 20)
    return f"{len(answers - {None})} job"


def _poisonous(kind: str) -> Run:
    def run(arena: Arena, chance: random.Random) -> str:
        arena.load.spoil(chance, kind)
        return "submitted"

    return run


def _together(calls: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
