"""Ways to run a version's graph: timed and judged where it is published; the quickest that is good enough serves.

Judged on patients that the network had not seen: each fold's own graph answers for those held out in every precision.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer import calibrate, export, metrics, quantise
from shared.runtimes import Runtime, open_graph
from shared.schemas import Calibration, Engine, Precision, RuntimeContract, Way

Answers = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Scores and distances, each (n,)."""
MOST_LOST = 0.002
"""Of the AUROC on unseen patients."""
MOST_FLIPPED = 0.01
"""Share of decisions about unseen patients, at the card's threshold and novelty threshold."""
EXACT = 1e-3
"""Relative and absolute tolerance of golden samples in f32: engines add up in other orders."""
_LARGE = 1_000_000  # parameters; the forward pass of a smaller graph takes less than reading its input
_GROUP, _ROUNDS = 8, 3
_CLEARLY = 1.1  # less is noise, and f32 stands


@dataclass(frozen=True)
class Rule:
    """How a version decides: calibration, threshold of the probability, and the distance beyond which it refers."""

    calibration: Calibration
    threshold: float
    furthest: float


def beside_f32(engine: str) -> tuple[Precision, ...]:
    """The other precisions worth trying for nets: bf16 where this processor computes it by itself, and int8."""
    if engine != "openvino":
        return ()
    from shared.runtimes.openvino import precisions

    return ("bf16", "int8") if "bf16" in precisions() else ("int8",)


def answers(
    graph: export.Graph,
    training: export.Floats,
    inputs: export.Floats,
    precisions: Sequence[Precision],
    threads: int,
) -> dict[Precision, Answers]:
    """What a large graph answers in each precision, by the engine that serves it; nothing of a small one.

    `training`: the inputs (n, *shape) that it learnt from; int8 reads its ranges off them.
    """
    if not precisions or sum(weight.numel() for weight in graph.parameters()) < _LARGE:
        return {}
    with tempfile.TemporaryDirectory(prefix="thoracle-ways-") as folder:
        model = Path(folder) / "model.onnx"
        export.write(graph, inputs.shape[1:], model)
        graphs = {name: graph_in(name, model, training, Path(folder)) for name in precisions}
        found = {name: export.run(graphs[name], "openvino", name, inputs, threads) for name in precisions}
    return {precision: (s.astype(np.float64), d.astype(np.float64)) for precision, (s, d) in found.items()}


def graph_in(precision: Precision, model: Path, training: export.Floats, folder: Path) -> Path:
    """The graph that serves in this precision: int8 is another one, written into `folder`; else `model` itself."""
    if precision != "int8":
        return model
    quantised = folder / "int8.onnx"
    quantise.write(model, training, quantised)
    return quantised


def contract(
    graphs: Mapping[Precision, Path],
    engine: Engine,
    losses: Mapping[Precision, tuple[float, float]],
    golden: export.Floats,
    threads: int,
) -> RuntimeContract:
    """Every way to run an exported graph timed and judged, and the precision that serves.

    `graphs`: of f32 and of each precision in `losses`, which holds what each costs, as `compared` tells it. `engine`:
    the recipe's. `golden`: inputs (n, *shape) that f32 must answer alike in every engine.
    """
    pairs: list[tuple[Engine, Precision]] = [(engine, "f32")]
    if engine == "openvino":
        pairs += [("onnxruntime", "f32"), *((engine, precision) for precision in losses)]
    expected = export.run(graphs["f32"], engine, "f32", golden, threads)
    ways = []
    for name, precision in pairs:
        model = graphs[precision]
        same = precision != "f32" or _close(export.run(model, name, precision, golden, threads), expected)
        milliseconds = _milliseconds(open_graph(model, name, precision, threads), golden)
        ways.append(_way(name, precision, milliseconds, losses.get(precision, (0.0, 0.0)), same))
    # The recipe's engine stands, so that a repeated training gives the same version; workers take the quickest.
    return RuntimeContract(engine=engine, precision=chosen(ways), candidates=ways)


def compared(exact: Answers, other: Answers, targets: NDArray[np.int64], rule: Rule) -> tuple[float, float]:
    """AUROC that is lost, and the share of decisions that flip, when unseen patients are answered for otherwise."""
    lost = metrics.auroc(targets, exact[0]) - metrics.auroc(targets, other[0])
    return float(lost), float((_decisions(rule, *exact) != _decisions(rule, *other)).mean())


def chosen(ways: Sequence[Way]) -> Precision:
    """The precision of the quickest accepted way; f32 unless another is clearly quicker than f32 in any engine."""
    best = min((way for way in ways if way.accepted), key=lambda way: way.milliseconds)
    exact = min(way.milliseconds for way in ways if way.accepted and way.precision == "f32")
    return best.precision if best.milliseconds * _CLEARLY < exact else "f32"


def tolerance(contract: RuntimeContract, exact: tuple[export.Floats, export.Floats], served: export.Floats) -> float:
    """How far golden samples may lie from the answers at publishing.

    In f32 `EXACT`. Below it, what rounding itself does to them: two processors may round in other places, but none
    moves further than from f32 to there. `exact`, `served`: scores and distances, each (n,), in f32 and as served.
    """
    if contract.precision == "f32":
        return EXACT
    gaps = np.abs(np.stack(exact) - served) / (1 + np.abs(served))
    return max(EXACT, 2 * float(gaps.max()))


def _way(engine: Engine, precision: Precision, milliseconds: float, losses: tuple[float, float], same: bool) -> Way:
    lost, flipped = losses
    reasons = {
        f"AUROC on unseen patients lower by {lost:.4f}, more than {MOST_LOST}": lost > MOST_LOST,
        f"{flipped:.1%} of decisions flip, more than {MOST_FLIPPED:.0%}": flipped > MOST_FLIPPED,
        "f32 answers differ between the engines": not same,
    }
    found = [reason for reason, holds in reasons.items() if holds]
    return Way(
        engine=engine, precision=precision, milliseconds=round(milliseconds, 4), area_lost=lost, flipped=flipped,
        accepted=not found, reason="; ".join(found) or "good enough",
    )  # fmt: skip


def _decisions(rule: Rule, scores: NDArray[np.float64], distances: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 not flagged, 1 flagged, 2 referred; each (n,)."""
    flagged = calibrate.apply(rule.calibration, scores) >= rule.threshold
    return np.where(distances > rule.furthest, 2, flagged.astype(np.int64))


def _close(found: tuple[export.Floats, export.Floats], expected: tuple[export.Floats, export.Floats]) -> bool:
    return bool(np.allclose(found, expected, rtol=EXACT, atol=EXACT))


def _milliseconds(runtime: Runtime, inputs: export.Floats) -> float:
    """Of one input in a group of eight, in the quickest of three rounds after one that warms up."""
    group = np.ascontiguousarray(np.resize(inputs, (_GROUP, *inputs.shape[1:])))
    runtime.run(group)
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        runtime.run(group)
        times.append(time.perf_counter() - began)
    return min(times) * 1000 / _GROUP
