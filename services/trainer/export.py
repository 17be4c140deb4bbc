"""From a trained network to one ONNX graph: `input` float32 (n, *shape) to `score` (n,) and `distance` (n,).

Large weights are rounded to float16 and stored so, with a cast back to float32: half the bytes, and the arithmetic
stays float32. They are rounded before anything is measured, so what was measured is what serves.
"""

import copy
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from services.trainer.novelty import NoveltyModel
from shared.errors import VersionInvalid
from shared.runtimes import open_graph

Floats = NDArray[np.float32]
Module = TypeVar("Module", bound=nn.Module)
GraphType = TypeVar("GraphType", bound="Graph")
PARITY = 1e-4
_LARGE = 1024  # elements; smaller tensors are biases and scales, where rounding costs more than it saves
_GROUP = 32


class Graph(nn.Module):
    """Network and novelty side by side on the same input."""

    def __init__(self, network: nn.Module, novelty: NoveltyModel) -> None:
        super().__init__()
        self.network = network
        self.novelty = novelty

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(n, *shape) to scores (n,) and distances (n,)."""
        return self.network(inputs), self.novelty(inputs)

    @property
    def size(self) -> int:
        """Trainable parameters; those of a frozen base do not count."""
        return sum(weight.numel() for weight in self.network.parameters() if weight.requires_grad)

    def program(self, shape: tuple[int, ...]) -> onnx.ModelProto:
        """As ONNX, for inputs of this shape."""
        return trace(self, shape, ["score", "distance"])


def assemble(network: nn.Module, novelty: NoveltyModel) -> Graph:
    """The graph as it will serve: evaluation mode, batch normalisation folded in, large weights rounded to float16."""
    return finished(Graph(copy.deepcopy(network), novelty))


def finished(graph: GraphType) -> GraphType:
    """The same graph, changed in place, as `assemble` leaves one."""
    graph.eval()
    _fold(graph)
    return rounded(graph)


def rounded(module: Module) -> Module:
    """The same module, its large weights rounded in place to float16."""
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.numel() >= _LARGE and tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
    return module


def write(graph: Graph, shape: tuple[int, ...], path: Path) -> None:
    """Export and store."""
    model = anonymous(graph.program(shape))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph without what the exporter notes about itself: stack traces name its machine's folders."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    return model


def trace(module: nn.Module, shape: tuple[int, ...], outputs: list[str]) -> onnx.ModelProto:
    """A module from `input` (n, *shape) to `outputs` as ONNX. The group's axis is dynamic."""
    example = torch.zeros(2, *shape)
    program = torch.onnx.export(
        module, (example,), dynamo=True, input_names=["input"], output_names=outputs,
        dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False,
    )  # fmt: skip
    if program is None:
        raise VersionInvalid("graph_missing", detail="The exporter gave no graph.")
    return _store_half(program.model_proto)


def run(path: Path, engine: str, precision: str, inputs: Floats, threads: int) -> tuple[Floats, Floats]:
    """Scores and distances of inputs (n, *shape), a group at a time, in the engine that will serve."""
    runtime = open_graph(path, engine, precision, threads)
    outputs = [runtime.run(inputs[start : start + _GROUP]) for start in range(0, len(inputs), _GROUP)]
    scores, distances = zip(*outputs, strict=True)
    return np.concatenate(scores), np.concatenate(distances)


def answer(graph: Graph, inputs: Floats) -> tuple[Floats, Floats]:
    """Scores and distances of inputs (n, *shape) by torch in f32: what the exported graph gives within `PARITY`."""
    with torch.inference_mode():
        pieces = [graph(piece) for piece in torch.split(torch.from_numpy(inputs), _GROUP)]
    scores, distances = (torch.cat(part).numpy() for part in zip(*pieces, strict=True))
    return scores, distances


def prove_parity(graph: Graph, inputs: Floats, served: tuple[Floats, Floats]) -> float:
    """The largest |Δp| between the trained and the exported graph. Raises VersionInvalid above 1e-4.

    Distances may differ by one part in a thousand.
    """
    scores, distances = answer(graph, inputs)
    gap = float(np.abs(_sigmoid(scores) - _sigmoid(served[0])).max())
    if not gap <= PARITY or not np.allclose(distances, served[1], rtol=1e-3, atol=1e-3):
        raise VersionInvalid(
            "graph_differs", detail=f"The exported graph differs from the trained network by {gap:.1e} in probability."
        )
    return gap


def _sigmoid(scores: Floats) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-scores.astype(np.float64)))
    return probabilities


def _fold(module: nn.Module) -> None:
    """Fold every batch normalisation that follows a convolution in a Sequential."""
    for child in module.children():
        _fold(child)
    if not isinstance(module, nn.Sequential):
        return
    for place in range(1, len(module)):
        first, second = module[place - 1], module[place]
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            module[place - 1], module[place] = fuse_conv_bn_eval(first, second), nn.Identity()


def _store_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keep as float16 what float16 holds exactly: lossless by construction."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LARGE:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return model
