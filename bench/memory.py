"""`python -m bench.memory`: what each process takes: a worker by the number of versions, its children, the gateway.

Resident memory counts shared pages in each process; the proportional one (PSS) shares them out.
"""

import struct
import time
import zlib
from functools import partial

import psutil
from sqlalchemy import select

from bench.record import Claim, at_most, figure, tell
from bench.stack import Bench, bench
from shared.db.tables import Worker
from shared.deployments import install_starters
from tests.support.stack import wait_for

UPLOADS = 1000
GROWTH_MB = 60  # of the gateway, over what it took when idle
MODALITIES = {0: "none", 1: "cough", 3: "chest_xray,cough,lung_sound"}
_SETTLED_S = 2.0


def main() -> None:
    """Measure and write bench/results/memory.json."""
    with bench(rate_per_s=0) as place:
        install_starters(place.settings, place.database)
        workers = [claim for versions in MODALITIES for claim in _worker(place, versions)]
        tell("memory", [*workers, *_gateway(place)])


def _worker(place: Bench, versions: int) -> list[Claim]:
    """Started twice: the first start measures the paces, which loads engines that the second one need not load."""
    for _ in range(2):
        worker = place.start("services.worker", THORACLE_MODALITIES=MODALITIES[versions])
        wait_for(partial(_has_loaded, place, worker.popen.pid, versions), 120, "the worker has loaded its versions")
        time.sleep(_SETTLED_S)
        process = psutil.Process(worker.popen.pid)
        own, children = _resident(process), process.children(recursive=True)
        proportional = sum(_proportional(child) for child in children)
        worker.terminate()
    claims = [figure(f"Worker with {versions} versions", [own], "MB resident")]
    if versions:
        return claims
    return [
        *claims,
        figure(f"Its {len(children)} helpers: children and the fork server", [proportional], "MB, shared out"),
    ]


def _gateway(place: Bench) -> list[Claim]:
    process = psutil.Process(place.gateway().popen.pid)
    with place.client() as client:
        client.post("/v1/jobs", files={"file": ("x.png", _picture(0))}).raise_for_status()
        time.sleep(_SETTLED_S)
        idle = _resident(process)
        for number in range(1, UPLOADS + 1):
            client.post("/v1/jobs", files={"file": ("x.png", _picture(number))}).raise_for_status()
        time.sleep(_SETTLED_S)
        grown = _resident(process) - idle
    return [
        figure("Gateway, idle", [idle], "MB resident"),
        at_most(f"Gateway after {UPLOADS} uploads, over idle", [grown], "MB", GROWTH_MB),
    ]


def _has_loaded(place: Bench, pid: int, versions: int) -> bool:
    return _loaded(place, pid) == versions


def _loaded(place: Bench, pid: int) -> int:
    """How many versions the worker's own row names; -1 before it has one."""
    with place.database.begin() as session:
        report = session.scalar(select(Worker.report).where(Worker.pid == pid))
    return -1 if report is None else len(report["loaded"])


def _picture(number: int) -> bytes:
    """A PNG of 512 x 512 that no other upload equals."""
    side = 512
    line = b"\0" + number.to_bytes(4, "big") * (side // 4)
    parts = ((b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(line * side, 1)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in (*parts, (b"IEND", b"")))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def _proportional(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / 2**20


if __name__ == "__main__":
    main()
