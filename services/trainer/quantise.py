"""int8 after training: a network's convolutions in eight bits, their ranges read off training inputs.

Weights get one scale a channel, activations one a tensor (QuantizeLinear and DequantizeLinear). Everything
else stays f32, so also the distances by which a version refers.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from services.trainer import export

_INPUTS, _GROUP = 32, 4  # the ranges of every layer are held for so many; a group's activations lie in memory


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out training inputs, some at a time."""

    def __init__(self, inputs: NDArray[np.float32]) -> None:
        self._groups: Iterator[NDArray[np.float32]] = iter(
            [inputs[start : start + _GROUP] for start in range(0, len(inputs), _GROUP)]
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next group; None at the end."""
        group = next(self._groups, None)
        return None if group is None else {"input": group}


def write(model: Path, training: NDArray[np.float32], out: Path) -> None:
    """The graph `model`, as `export.write` left it, in int8. `training`: inputs (n, *shape); a few evenly are used."""
    chosen = training[np.unique(np.linspace(0, len(training) - 1, _INPUTS).astype(int))]
    with tempfile.TemporaryDirectory(prefix="thoracle-int8-") as folder:
        wide = Path(folder) / "wide.onnx"
        wide.write_bytes(_widened(onnx.load(model)).SerializeToString())
        quantize_static(
            str(wide), str(out), _Reader(chosen), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv"],
        )  # fmt: skip
    out.write_bytes(export.anonymous(onnx.load(out)).SerializeToString())


def _widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with weights that were stored as float16 as float32: only such can be turned into int8."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type == "Cast" and node.input[0] in stored:
            values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            stored[node.input[0]].CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            graph.node.append(node)
    return model
