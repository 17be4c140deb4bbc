"""What pressure costs: liveness while the gateway is overloaded and slow clients hold sockets, and waiting long polls.

`python -m bench.pressure`. No worker runs: nothing but the gateway, its engines and the clients is measured.
"""

import asyncio
import contextlib
import multiprocessing
import ssl
import statistics
import time
from collections.abc import AsyncIterator

import httpx
import psutil
from sqlalchemy import func, select, update

from bench.record import Claim, at_most, figure, tell
from bench.stack import Bench, bench
from shared.db.tables import Job
from shared.deployments import install_starters

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 80
CLIENTS, SLOW, POLLS = 200, 200, 1000
SECONDS = 20.0
WAITING = 2000


def main() -> None:
    """Measure and write."""
    with bench(max_waiting=WAITING, max_wait_s=30, rate_per_s=0) as place:
        gateway = place.gateway()
        install_starters(place.settings, place.database)
        claims = asyncio.run(_measured(place, psutil.Process(gateway.popen.pid)))
    tell("pressure", claims)


async def _measured(place: Bench, gateway: psutil.Process) -> list[Claim]:
    key = place.key()
    idle = await _liveness(place, 5.0)
    polls = await _long_polls(place, key, gateway)
    context = multiprocessing.get_context("spawn")
    done: multiprocessing.Queue[list[tuple[int, str]]] = context.Queue()
    clients = context.Process(target=_press, args=(place.settings.base_url, key, SECONDS + 5, done))
    async with _slow_clients(place, key):
        clients.start()
        await asyncio.sleep(4)
        pressed = await _liveness(place, SECONDS)
    answers = await asyncio.to_thread(done.get)
    clients.join()
    with place.database.begin() as session:
        kept = session.scalar(select(func.count()).select_from(Job)) or 0
    accepted = sum(status == 202 for status, _ in answers)
    bad = [status for status, after in answers if status != 202 and not (status in (429, 503) and after.isdigit())]
    return [
        figure("liveness, idle, p99", [_p99(idle)], "ms"),
        at_most(f"liveness, {CLIENTS} clients over the limit and {SLOW} slow ones, p99", [_p99(pressed)], "ms", 100),
        figure("the same, p50", [statistics.median(pressed)], "ms"),
        figure("answers to the clients over the limit", [len(answers) / (SECONDS + 5)], "1/s"),
        at_most("answers that are neither 202 nor a refusal with Retry-After", [len(bad)], "answers", 0),
        at_most("accepted jobs that are not in the database", [accepted + POLLS - kept], "jobs", 0),
        *polls,
    ]


async def _liveness(place: Bench, seconds: float) -> list[float]:
    """Milliseconds of each answer, asked every 20 ms."""
    times, end = [], time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=place.settings.base_url, trust_env=False, timeout=30) as client:
        while time.monotonic() < end:
            begun = time.perf_counter()
            (await client.get("/health/live")).raise_for_status()
            times.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(0.02)
    return times


async def _long_polls(place: Bench, key: str, gateway: psutil.Process) -> list[Claim]:
    """Twice the same clients: first their time ends, then all their jobs at the same moment."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=place.settings.base_url, headers=headers, trust_env=False) as client:
        jobs = [(await _submit(client)).json()["id"] for _ in range(POLLS)]
    threads, memory = gateway.num_threads(), gateway.memory_info().rss
    waiting = [asyncio.create_task(_poll(place, key, job)) for job in jobs]
    await asyncio.sleep(10)  # all have been let in by then
    busy, begun = sum(gateway.cpu_times()[:2]), time.monotonic()
    await asyncio.sleep(5)
    share = (sum(gateway.cpu_times()[:2]) - busy) / (time.monotonic() - begun)
    more, grown = gateway.num_threads() - threads, (gateway.memory_info().rss - memory) / 2**20
    late = sum(not good for good, _ in await asyncio.gather(*waiting))
    waiting = [asyncio.create_task(_poll(place, key, job)) for job in jobs]
    await asyncio.sleep(15)
    await asyncio.to_thread(_end_all, place)
    ended = time.monotonic()
    woken = await asyncio.gather(*waiting)
    failed = sum(not good for good, _ in woken)
    return [
        at_most(f"answers other than 200 to {POLLS} long polls whose time ends within seconds", [late], "answers", 0),
        at_most(f"answers other than 200 to {POLLS} whose jobs end at the same moment", [failed], "answers", 0),
        figure("the same, until half of them are answered", [statistics.median(at for _, at in woken) - ended], "s"),
        figure("the same, until all of them are answered", [max(at for _, at in woken) - ended], "s"),
        at_most(f"threads more with {POLLS} long polls", [max(more, 0)], "threads", 0),
        figure(f"memory more with {POLLS} long polls", [grown], "MB"),
        figure(f"processor while {POLLS} long polls wait", [share * 100], "% of a core"),
    ]


async def _poll(place: Bench, key: str, job: str) -> tuple[bool, float]:
    """Whether the answer was 200, and when it came.

    On a bare connection: httpx looks through all of a client's connections at every answer, and would be measured.
    """
    reader, writer = await asyncio.open_connection(place.settings.host, place.settings.port)
    head = f"GET /v1/jobs/{job} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nPrefer: wait=30\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.startswith(b"HTTP/1.1 200 "), time.monotonic()


def _end_all(place: Bench) -> None:
    with place.database.begin() as session:
        session.execute(update(Job).values(state="failed", code="deadline", finished_at=func.now()))


def _press(url: str, key: str, seconds: float, done: "multiprocessing.Queue[list[tuple[int, str]]]") -> None:
    """Clients that submit without a pause, whatever they are told. A process of its own, not to slow down the probe."""

    async def press() -> None:
        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=60, trust_env=False, limits=limits, verify=context
        ) as client:
            while time.monotonic() < end:
                response = await _submit(client)
                answers.append((response.status_code, response.headers.get("Retry-After", "")))

    async def all_of_them() -> None:
        await asyncio.gather(*(press() for _ in range(CLIENTS)))

    answers: list[tuple[int, str]] = []
    limits, headers = httpx.Limits(max_connections=None), {"Authorization": f"Bearer {key}"}
    context = ssl.create_default_context()  # one for all: each client would read every authority's certificate
    end = time.monotonic() + seconds
    asyncio.run(all_of_them())
    done.put(answers)


@contextlib.asynccontextmanager
async def _slow_clients(place: Bench, key: str) -> AsyncIterator[None]:
    """Sockets that send a byte now and then, half of them of a head and half of a body."""
    body = (
        f"Authorization: Bearer {key}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9999\r\n\r\n"
    )

    async def trickle(number: int) -> None:
        reader, writer = await asyncio.open_connection(place.settings.host, place.settings.port)
        with contextlib.suppress(OSError):
            writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" + (body.encode() if number % 2 else b"X-Slow: "))
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(5)
        writer.close()

    tasks = [asyncio.create_task(trickle(number)) for number in range(SLOW)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _submit(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1/jobs", files={"file": ("x.png", PNG)})


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


if __name__ == "__main__":
    main()
