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
    """A graph in OpenVINO with dynamic group size.

    One input is computed by all threads together. A group is shared out, so that no thread waits at every layer for
    one that the children or the database have pushed off its core: a tenth less processor time beside them (measured).
    """

    def __init__(self, model: Path, precision: str, threads: int) -> None:
        if precision not in precisions():
            raise VersionInvalid(detail=f"OpenVINO does not offer {precision} on this processor.")
        # LATENCY: with synchronous calls the THROUGHPUT hint uses one stream, half of a two-core machine.
        config: Config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[precision]}
        config["INFERENCE_NUM_THREADS"] = count = threads or cores()
        self._together = _requests(model, config, 1)
        self._shared_out = self._together
        if count > 1:
            streams = min(count, _MOST_STREAMS)
            apart: Config = {"NUM_STREAMS": streams, "ENABLE_CPU_PINNING": False}
            self._shared_out = _requests(model, config | apart, streams)

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        requests = self._shared_out if len(group) >= len(self._shared_out) else self._together
        parts = np.array_split(group, len(requests))
        for request, part in zip(requests, parts, strict=True):
            request.start_async({"input": part})
        for request in requests:
            request.wait()
        return _joined(requests, "score"), _joined(requests, "distance")


def precisions() -> set[str]:
    """What this processor computes by itself: asked for bf16 without it, OpenVINO would silently take f32."""
    capabilities = set(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return {"f32", "int8"} | ({"bf16"} if "BF16" in capabilities else set())


def _requests(model: Path, config: Config, count: int) -> list[openvino.InferRequest]:
    compiled = openvino.Core().compile_model(str(model), "CPU", config)
    return [compiled.create_infer_request() for _ in range(count)]


def _joined(requests: list[openvino.InferRequest], name: str) -> Floats:
    joined: Floats = np.concatenate([request.get_tensor(name).data for request in requests])
    return joined
