"""OpenVINO on the CPU: for nets. Precision is always set: its default is bf16 where the processor has it."""

from pathlib import Path

import openvino

from shared.errors import VersionInvalid
from shared.runtimes import Floats

# The hint for what is not quantised: an int8 graph's other parts stay in single precision.
_HINTS = {"f32": "f32", "bf16": "bf16", "int8": "f32"}


class OpenVinoRuntime:
    """A graph in OpenVINO with dynamic group size."""

    def __init__(self, model: Path, precision: str, threads: int) -> None:
        if precision not in precisions():
            raise VersionInvalid(detail=f"OpenVINO does not offer {precision} on this processor.")
        # LATENCY: with synchronous calls the THROUGHPUT hint uses one stream, half of a two-core machine.
        config: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[precision]}
        if threads:
            config["INFERENCE_NUM_THREADS"] = threads
        self._request = openvino.Core().compile_model(str(model), "CPU", config).create_infer_request()

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        outputs = self._request.infer({"input": group})
        return outputs["score"].copy(), outputs["distance"].copy()


def precisions() -> set[str]:
    """What this processor computes by itself: asked for bf16 without it, OpenVINO would silently take f32."""
    capabilities = set(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return {"f32", "int8"} | ({"bf16"} if "BF16" in capabilities else set())
