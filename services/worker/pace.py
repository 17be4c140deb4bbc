"""How fast a version runs here: engine, threads and group size, timed once per kind of machine and kept in the home.

The card fixes the precision; what this machine measures never goes into the card. An engine is timed only after it has
answered the golden samples within the card's tolerance.
"""

import hashlib
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import structlog

from shared.registry import Artefact, verify
from shared.runtimes import Floats, Runtime, cores, engines, golden_inputs, load
from shared.schemas import Card
from shared.settings import Settings

_ROUNDS = 3
_HOPELESS = 1.5  # slower than the best by this after one round: no second one
_CLEARLY = 1.1  # less is noise: the card's own engine, all cores and the largest group, which shares a commit, stand
_log = structlog.get_logger()


@dataclass(frozen=True)
class Pace:
    """What is fastest here. `group` inputs at most in one forward pass, `milliseconds` for one of them."""

    engine: str
    threads: int
    group: int
    milliseconds: float


class Paces:
    """The paces that are known on this kind of machine, one JSON file a version: workers never write into the same."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "paces"
        self._settings = settings
        self._machine = machine()

    def load(self, artefact: Artefact) -> tuple[Runtime, Pace]:
        """The version at its pace, proven, and warm for every group that can occur. Raises VersionInvalid."""
        pace = self._known(artefact) or self._timed(artefact)
        runtime = load(artefact, pace.threads, pace.engine)
        inputs = golden_inputs(artefact)
        for size in range(1, pace.group + 1):
            runtime.run(group_of(inputs, size))
        return runtime, pace

    def _known(self, artefact: Artefact) -> Pace | None:
        """What is kept, when it is readable and still one that the card and the settings allow."""
        try:
            pace = Pace(**json.loads(self._file(artefact).read_text(encoding="utf-8"))["pace"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pace if pace.engine in engines(artefact.card.runtime) else None

    def _timed(self, artefact: Artefact) -> Pace:
        pace = _measured(artefact, most(self._settings, artefact.card), self._settings.predict_threads)
        _log.info("pace_measured", version=artefact.sha256, **asdict(pace))
        file = self._file(artefact)
        draft = file.with_suffix(f".{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            body = {"version": artefact.sha256, "machine": self._machine, "pace": asdict(pace)}
            draft.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
            draft.replace(file)
        except OSError as error:  # a full or read-only home costs the next start some seconds, nothing else
            _log.warning("pace_not_kept", error=type(error).__name__)
        return pace

    def _file(self, artefact: Artefact) -> Path:
        limits = [most(self._settings, artefact.card), self._settings.predict_threads]
        kind = json.dumps([self._machine, *limits], sort_keys=True)
        return self._folder / f"{artefact.sha256}-{hashlib.sha256(kind.encode()).hexdigest()[:12]}.json"


def machine() -> dict[str, str]:
    """The kind of machine: processor, cores this process may use, engines. Two of a kind share their paces."""
    return {"processor": _processor(), "cores": str(cores()), **{name: _version(name) for name in _ENGINES}}


def most(settings: Settings, card: Card) -> int:
    """Most inputs of this version in one forward pass: bounded in number and in what their tensors hold."""
    return max(1, min(settings.group_size, settings.group_values // math.prod(card.tensor.shape)))


def _measured(artefact: Artefact, size: int, threads: int) -> Pace:
    """`measure`, where there is a choice of engines in a process of its own: those that lose leave nothing in ours."""
    if len(engines(artefact.card.runtime)) > 1:
        command = [sys.executable, "-m", __name__, str(artefact.folder), str(size), str(threads)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — this module
        if answer.returncode == 0:
            return Pace(**json.loads(answer.stdout.splitlines()[-1]))
        _log.warning("pace_process_failed", version=artefact.sha256, code=answer.returncode)
    return measure(artefact, size, threads)


def measure(artefact: Artefact, size: int, threads: int) -> Pace:
    """Time every engine that is allowed, on `threads` threads (0: on all cores and on one), in groups up to `size`.

    Raises VersionInvalid when no engine answers the golden samples.
    """
    inputs, best = golden_inputs(artefact), Pace("", 0, size, math.inf)
    for engine in engines(artefact.card.runtime):
        for count in [threads] if threads else sorted({cores(), 1}, reverse=True):
            runtime = _opened(artefact, engine, count)
            milliseconds = _milliseconds(runtime, group_of(inputs, size), best.milliseconds) if runtime else math.inf
            if milliseconds * _CLEARLY < best.milliseconds:
                best = Pace(engine, count, size, milliseconds)
    # Where all were refused, this tells why the card's own one was.
    return _grouped(load(artefact, best.threads, best.engine), inputs, best)


def _opened(artefact: Artefact, engine: str, threads: int) -> Runtime | None:
    """None when the engine is not installed, cannot read the graph or answers differently."""
    try:
        return load(artefact, threads, engine)
    except Exception as error:  # noqa: BLE001 — engines raise types of their own
        _log.warning("engine_refused", version=artefact.sha256, engine=engine, error=str(error)[:200])
        return None


def group_of(inputs: Floats, size: int) -> Floats:
    """`size` inputs: those that there are, again and again."""
    return np.ascontiguousarray(np.resize(inputs, (size, *inputs.shape[1:])))


def _grouped(runtime: Runtime, inputs: Floats, best: Pace) -> Pace:
    times = {size: _milliseconds(runtime, group_of(inputs, size)) for size in _halves(best.group)}
    quickest = min(times.values())
    size = max(size for size, milliseconds in times.items() if milliseconds <= _CLEARLY * quickest)
    return Pace(best.engine, best.threads, size, round(times[size], 4))


def _halves(most: int) -> Iterator[int]:
    while most:
        yield most
        most //= 2


def _milliseconds(runtime: Runtime, group: Floats, best: float = math.inf) -> float:
    """Of one input, in the quickest of some rounds; what is hopeless against the best so far gets one round."""
    runtime.run(group)  # the first run of a shape compiles
    quickest = math.inf
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        runtime.run(group)
        quickest = min(quickest, (time.perf_counter() - began) * 1000 / len(group))
        if quickest > _HOPELESS * best:
            break
    return quickest


_ENGINES = ("onnxruntime", "openvino")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo")
    text = lines.read_text(encoding="utf-8") if lines.exists() else ""
    found = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()


if __name__ == "__main__":
    print(json.dumps(asdict(measure(verify(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])))))  # noqa: T201
