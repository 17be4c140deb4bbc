"""OpenVINO on the CPU: for nets. Precision is always set: its default is bf16 where the processor has it."""

from pathlib import Path

import openvino

from shared.runtimes import Floats


class OpenVinoRuntime:
    """A graph in OpenVINO with dynamic group size."""

    def __init__(self, model: Path, precision: str, threads: int) -> None:
        # LATENCY: with synchronous calls the THROUGHPUT hint uses one stream, half of a two-core machine.
        config: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
        if threads:
            config["INFERENCE_NUM_THREADS"] = threads
        self._request = openvino.Core().compile_model(str(model), "CPU", config).create_infer_request()

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        outputs = self._request.infer({"input": group})
        return outputs["score"].copy(), outputs["distance"].copy()
