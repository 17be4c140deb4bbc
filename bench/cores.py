"""Which processes used the cores: core-seconds of the worker, its children, the gateway and PostgreSQL."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.stack import Bench
from infra.state import State

WORKER, CHILDREN, GATEWAY, POSTGRES = "worker", "children", "gateway", "postgres"


class Cores:
    """Reads the clocks of a service's processes; a process must live from one reading to the next to be counted."""

    def __init__(self, place: Bench, worker: int, gateway: int) -> None:
        home = place.engines.home
        self._root = State.load(home).root or home
        self._worker, self._gateway = worker, gateway

    def read(self) -> dict[str, float]:
        """Core-seconds so far, by part."""
        used: dict[str, float] = defaultdict(float)
        for part, process in self._processes():
            with contextlib.suppress(psutil.Error):
                used[part] += sum(process.cpu_times()[:2])
        return used

    def note(self, before: dict[str, float], jobs: int) -> str:
        """What a claim's note says: core-milliseconds a job since a reading, by part."""
        after = self.read()
        parts = (f"{part} {(after[part] - before[part]) / jobs * 1000:.1f}" for part in sorted(after))
        return "core-ms a job: " + ", ".join(parts)

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        yield WORKER, psutil.Process(self._worker)
        yield GATEWAY, psutil.Process(self._gateway)
        for child in psutil.Process(self._worker).children(recursive=True):
            yield CHILDREN, child
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres" and _lies_in(process, self._root):
                yield POSTGRES, process


def _lies_in(process: psutil.Process, root: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        return Path(process.cwd()).is_relative_to(root)
    return False
