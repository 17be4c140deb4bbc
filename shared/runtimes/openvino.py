"""OpenVINO on the CPU: for nets. Precision is always set: its default is bf16 where the processor has it."""

from pathlib import Path

import numpy as np
import openvino

from shared.errors import VersionInvalid
from shared.runtimes import Floats, cores

# The hint for what is not quantised: an int8 graph's other parts stay in single precision.
_HINTS = {"f32": "f32", "bf16": "bf16", "int8": "f32"}
_MOST_STREAMS = 4
Config = dict[str, str | int | bool]


class OpenVinoRuntime:
    """A graph in OpenVINO, an input at a time.

    One input alone is computed by all threads together. Those of a group wait in a row for streams of a thread each: no
    thread waits at every layer for one that the children or the database have pushed off its core, and what a stream
    keeps of one input fits into the last cache, which that of several does not.
    """

    def __init__(self, model: Path, precision: str, threads: int) -> None:
        if precision not in precisions():
            raise VersionInvalid(detail=f"OpenVINO does not offer {precision} on this processor.")
        # LATENCY: with synchronous calls the THROUGHPUT hint uses one stream, half of a two-core machine.
        config: Config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[precision]}
        config["INFERENCE_NUM_THREADS"] = count = threads or cores()
        self._together = self._shared_out = _Requests(model, config)
        if count > 1:
            apart: Config = {"NUM_STREAMS": min(count, _MOST_STREAMS), "ENABLE_CPU_PINNING": False}
            self._shared_out = _Requests(model, config | apart)

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        requests = (self._shared_out if len(group) > 1 else self._together).take(len(group))
        for place, request in enumerate(requests):
            request.start_async({"input": group[place : place + 1]})
        for request in requests:
            request.wait()
        return _joined(requests, "score"), _joined(requests, "distance")


class _Requests:
    """A compiled graph with as many requests as were ever wanted at once: all are started before any is waited for.

    Nothing of ours runs between two inputs of a stream, so none waits for the interpreter.
    """

    def __init__(self, model: Path, config: Config) -> None:
        self._compiled = openvino.Core().compile_model(str(model), "CPU", config)
        self._made: list[openvino.InferRequest] = []

    def take(self, count: int) -> list[openvino.InferRequest]:
        while len(self._made) < count:
            self._made.append(self._compiled.create_infer_request())
        return self._made[:count]


def precisions() -> set[str]:
    """What this processor computes by itself: asked for bf16 without it, OpenVINO would silently take f32."""
    capabilities = set(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return {"f32", "int8"} | ({"bf16"} if "BF16" in capabilities else set())


def _joined(requests: list[openvino.InferRequest], name: str) -> Floats:
    joined: Floats = np.concatenate([request.get_tensor(name).data for request in requests])
    return joined
