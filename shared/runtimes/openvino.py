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
        self._together = self._shared_out = _Compiled(model, config, 1)
        if count > 1:
            streams = min(count, _MOST_STREAMS)
            apart: Config = {"NUM_STREAMS": streams, "ENABLE_CPU_PINNING": False}
            self._shared_out = _Compiled(model, config | apart, streams)

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        return self.start(group).result()

    def start(self, group: Floats) -> "_Pass":
        """Put every input into the row: nothing of ours runs between two of a stream, so none waits for Python."""
        return _Pass(self._shared_out if len(group) > 1 else self._together, group)


class _Compiled:
    """A compiled graph, and its requests that nobody uses now."""

    def __init__(self, model: Path, config: Config, streams: int) -> None:
        self.streams = streams
        self._compiled = openvino.Core().compile_model(str(model), "CPU", config)
        self._free: list[openvino.InferRequest] = []

    def take(self) -> openvino.InferRequest:
        try:
            return self._free.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    def give_back(self, requests: list[openvino.InferRequest]) -> None:
        self._free.extend(requests)


class _Pass:
    """A request for each input, all of them started."""

    def __init__(self, compiled: _Compiled, group: Floats) -> None:
        self._compiled, self._requests = compiled, [compiled.take() for _ in group]
        for place, request in enumerate(self._requests):
            request.start_async({"input": group[place : place + 1]})

    def nearly(self) -> None:
        """Wait until a stream is idle; they take the inputs in their order."""
        for request in self._requests[: len(self._requests) - self._compiled.streams + 1]:
            request.wait()

    def result(self) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        for request in self._requests:
            request.wait()
        scores, distances = (_joined(self._requests, name) for name in ("score", "distance"))
        self._compiled.give_back(self._requests)
        return scores, distances


def precisions() -> set[str]:
    """What this processor computes by itself: asked for bf16 without it, OpenVINO would silently take f32."""
    capabilities = set(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return {"f32", "int8"} | ({"bf16"} if "BF16" in capabilities else set())


def _joined(requests: list[openvino.InferRequest], name: str) -> Floats:
    joined: Floats = np.concatenate([request.get_tensor(name).data for request in requests])
    return joined
