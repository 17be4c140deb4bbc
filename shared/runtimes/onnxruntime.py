"""ONNX Runtime: for tabular versions, for nets where it is the faster one, and for NVIDIA's graphics cards."""

from pathlib import Path

import onnxruntime

from shared.errors import VersionInvalid
from shared.runtimes import Floats, Over

_CPU = {"f32", "int8"}
_CUDA = {"f32", "f16"}
_EXACT = {"use_tf32": "0"}  # TF32 keeps ten bits of a number's fraction and calls it f32


class OnnxRuntime:
    """A graph in ONNX Runtime. int8 and f16 are properties of the graph itself; nothing is converted here.

    Not verified on a graphics card: no machine of ours has one.
    """

    def __init__(self, model: Path, precision: str, threads: int, *, cuda: bool = False) -> None:
        if precision not in (_CUDA if cuda else _CPU):
            raise VersionInvalid(detail=f"ONNX Runtime does not offer {precision} here.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning thread pool would take the cores that the sandbox's children need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = [("CUDAExecutionProvider", _EXACT)] if cuda else ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(model), options, providers=providers)
        if cuda and "CUDAExecutionProvider" not in self._session.get_providers():
            raise VersionInvalid(detail="ONNX Runtime found no graphics card that it can use.")

    def run(self, group: Floats) -> tuple[Floats, Floats]:
        """Scores and distances, each float32 (n,)."""
        score, distance = self._session.run(["score", "distance"], {"input": group})
        return score, distance

    def start(self, group: Floats) -> Over:
        """The same; nothing is left to wait for."""
        return Over(*self.run(group))
