"""ONNX Runtime on the CPU: for tabular versions, and wherever OpenVINO is not wanted."""

from pathlib import Path

import onnxruntime

from shared.runtimes import Floats


class OnnxRuntime:
    """A graph in ONNX Runtime, always f32."""

    def __init__(self, model: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning thread pool would take the cores that the sandbox's children need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        score, distance = self._session.run(["score", "distance"], {"input": group})
        return score, distance
