"""Fitted scikit-learn pipelines and a novelty module as one ONNX graph: converted apart, then laid side by side."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx.compose
from numpy.typing import NDArray
from onnx import TensorProto, helper
from skl2onnx import to_onnx

EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1, so that log-odds stay finite (within ±13.8)."""
_OPSETS = {"": 20, "ai.onnx.ml": 3}  # the first is what torch's exporter writes: opsets of one domain must be equal

_LOG_ODDS = onnx.parser.parse_graph(
    f"""log_odds (float[n, 2] probabilities) => (float[n] odds) {{
        low = Constant <value_float = {EDGE:.6f}> ()
        high = Constant <value_float = {1 - EDGE:.6f}> ()
        one = Constant <value_float = 1.0> ()
        place = Constant <value_int = 1> ()
        finding = Gather <axis = 1> (probabilities, place)
        kept = Clip (finding, low, high)
        rest = Sub (one, kept)
        ratio = Div (kept, rest)
        odds = Log (ratio)
    }}"""
)


def converted(pipeline: Any, features: int) -> onnx.ModelProto:
    """A fitted classifier as ONNX: `X` float32 (n, features) to `label` and `probabilities` (n, 2).

    Thresholds of trees stay float32 and are never rounded further: a rounded threshold changes decisions.
    """
    example = np.zeros((1, features), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # skl2onnx asks SVC for attributes that scikit-learn renames
        model: onnx.ModelProto = to_onnx(pipeline, example, options={"zipmap": False}, target_opset=_OPSETS)
    return model


def side_by_side(members: Sequence[onnx.ModelProto], novelty: onnx.ModelProto, features: int) -> onnx.ModelProto:
    """`input` (n, features) to `score`, the mean of the members' log-odds, and `distance`, the output of `novelty`."""
    scored = [onnx.compose.merge_graphs(m.graph, _LOG_ODDS, [("probabilities", "probabilities")]) for m in members]
    parts = [_prefixed(graph, f"member{place}/") for place, graph in enumerate(scored)]
    outside = _prefixed(novelty.graph, "novelty/")
    odds = [f"member{place}/odds" for place in range(len(parts))]
    ends = [helper.make_node("Mean", odds, ["score"]), helper.make_node("Identity", ["novelty/distance"], ["distance"])]
    graph = helper.make_graph(
        [*(node for part in (*parts, outside) for node in (_entry(part), *part.node)), *ends],
        "thoracle",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("score", "distance")],
        [tensor for part in (*parts, outside) for tensor in part.initializer],
    )
    opsets = {entry.domain: entry.version for model in (*members, novelty) for entry in model.opset_import}
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=novelty.ir_version)


def numbers(model: onnx.ModelProto) -> int:
    """How many numbers a converted model holds: weights, thresholds, stored rows."""
    stored: int = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
    return stored + sum(len(attribute.floats) for node in model.graph.node for attribute in node.attribute)


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of probabilities (n,), as the graph computes them."""
    kept = np.clip(probabilities, EDGE, 1 - EDGE)
    return np.asarray(np.log(kept / (1 - kept)))


def _prefixed(graph: onnx.GraphProto, prefix: str) -> onnx.GraphProto:
    return onnx.compose.add_prefix_graph(graph, prefix)


def _entry(part: onnx.GraphProto) -> onnx.NodeProto:
    """Feeds the common input to a part."""
    return helper.make_node("Identity", ["input"], [part.input[0].name])
