"""Every way to run a version's graph. Input `input` float32 (n, *shape); outputs `score` (n,) and `distance` (n,)."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import VersionInvalid
from shared.registry import Artefact

Floats = NDArray[np.float32]


class Runtime(Protocol):
    """A loaded graph."""

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores (log-odds of the finding) and distances of a group, each float32 (n,)."""
        ...


def load(artefact: Artefact, threads: int) -> Runtime:
    """Load a verified version with the engine and precision of its card and prove its golden samples.

    `threads` is the number of threads of the forward pass; 0 takes all cores. Raises VersionInvalid.
    """
    runtime = open_graph(artefact.model, artefact.card.runtime.engine, artefact.card.runtime.precision, threads)
    prove(runtime, artefact)
    return runtime


def open_graph(model: Path, engine: str, precision: str, threads: int) -> Runtime:
    """Open an ONNX graph. Imported on demand: a worker pays only for the engines that its versions name."""
    if engine == "openvino":
        from shared.runtimes.openvino import OpenVinoRuntime

        return OpenVinoRuntime(model, precision, threads)
    if precision != "f32":
        raise VersionInvalid(detail=f"ONNX Runtime on a CPU does not offer {precision}.")
    from shared.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(model, threads)


def prove(runtime: Runtime, artefact: Artefact) -> None:
    """Compare the golden samples, one at a time and as one group, with the answers at publishing."""
    golden = artefact.card.golden
    inputs = np.load(artefact.golden, allow_pickle=False).astype(np.float32)
    expected = np.array([golden.scores, golden.distances], dtype=np.float32)
    together = np.stack(runtime.run(inputs))
    alone = np.stack([np.concatenate(outputs) for outputs in zip(*(runtime.run(x[None]) for x in inputs), strict=True)])
    for answer in (together, alone):
        if not np.allclose(answer, expected, rtol=golden.tolerance, atol=golden.tolerance):
            raise VersionInvalid(detail="The version answers its golden samples differently on this machine.")
