"""Every way to run a version's graph. Input `input` float32 (n, *shape); outputs `score` (n,) and `distance` (n,)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import VersionInvalid
from shared.registry import Artefact
from shared.schemas import RuntimeContract

Floats = NDArray[np.float32]
NVIDIA = Path("/dev/nvidiactl")  # there when a graphics card's driver is


class Pass(Protocol):
    """A group on its way through a graph."""

    def nearly(self) -> None:
        """Wait until so little is left of it that not all threads are busy any more: the next group may be started."""

    def result(self) -> tuple[Floats, Floats]:
        """As of `Runtime.run`, when it is over. To be called once, from any thread."""
        ...


class Runtime(Protocol):
    """A loaded graph, for several threads."""

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores (log-odds of the finding) and distances of a group, each float32 (n,)."""
        ...

    def start(self, group: Floats) -> Pass:
        """Begin the same and return, where the engine can; else it is over at once."""
        ...


@dataclass(frozen=True)
class Over:
    """A pass that was over when it was started."""

    scores: Floats
    distances: Floats

    def nearly(self) -> None:
        """Nothing is left."""

    def result(self) -> tuple[Floats, Floats]:
        """Scores and distances."""
        return self.scores, self.distances


def load(artefact: Artefact, threads: int, engine: str = "") -> Runtime:
    """Load a verified version in the precision of its card and prove its golden samples.

    `threads` is the number of threads of the forward pass; 0 takes all cores. `engine`: the card's when empty. Raises
    VersionInvalid.
    """
    contract = artefact.card.runtime
    runtime = open_graph(artefact.model, engine or contract.engine, contract.precision, threads)
    prove(runtime, artefact)
    return runtime


def open_graph(model: Path, engine: str, precision: str, threads: int) -> Runtime:
    """Open an ONNX graph. Imported on demand: a worker pays only for the engines that it uses.

    Raises VersionInvalid when the engine cannot compute in this precision here.
    """
    if engine == "openvino":
        from shared.runtimes.openvino import OpenVinoRuntime

        return OpenVinoRuntime(model, precision, threads)
    from shared.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(model, precision, threads, cuda=engine == "cuda")


def engines(contract: RuntimeContract) -> list[str]:
    """The engines that may compute a version's precision on this machine, the card's own first.

    A card that tells what was tried where it was published names them; an older card's nets also run in ONNX Runtime.
    """
    accepted = [way.engine for way in contract.candidates if way.accepted and way.precision == contract.precision]
    if not contract.candidates and (contract.engine, contract.precision) == ("openvino", "f32"):
        accepted.append("onnxruntime")
    if NVIDIA.exists() and contract.engine != "onnxruntime" and contract.precision in ("f32", "f16"):
        accepted.append("cuda")
    found = dict.fromkeys([contract.engine, *accepted])
    return [engine for engine in found if engine != "cuda" or NVIDIA.exists()]


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def golden_inputs(artefact: Artefact) -> Floats:
    """A version's generated inputs, float32 (n, *tensor.shape)."""
    inputs: Floats = np.load(artefact.golden, allow_pickle=False).astype(np.float32)
    return inputs


def prove(runtime: Runtime, artefact: Artefact) -> None:
    """Compare the golden samples, one at a time and as one group, with the answers at publishing."""
    golden = artefact.card.golden
    inputs = golden_inputs(artefact)
    expected = np.array([golden.scores, golden.distances], dtype=np.float32)
    together = np.stack(runtime.run(inputs))
    alone = np.stack([np.concatenate(outputs) for outputs in zip(*(runtime.run(x[None]) for x in inputs), strict=True)])
    for answer in (together, alone):
        if not np.allclose(answer, expected, rtol=golden.tolerance, atol=golden.tolerance):
            raise VersionInvalid(detail="The version answers its golden samples differently on this machine.")
