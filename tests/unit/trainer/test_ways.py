"""A precision serves only when unseen patients are answered as well in it, and then every figure is of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from services.trainer import datasets, evaluate, export, prepared, ways
from services.trainer.evaluate import OutOfFold, Plan
from services.trainer.prepared import Examples
from services.trainer.recipe import find
from services.trainer.train import Budget, train
from services.trainer.ways import Rule, chosen, compared, tolerance
from shared import runtimes
from shared.registry import verify
from shared.runtimes.openvino import precisions
from shared.schemas import Calibration, Precision, RuntimeContract, Way
from tests.unit.trainer.economy import spare

needs_bf16 = pytest.mark.skipif("bf16" not in precisions(), reason="this processor does not compute bf16")
pytestmark = pytest.mark.trainer
SHIFT = 0.5
RULE = Rule(Calibration(method="sigmoid", prevalence=0.5), 0.5, 3.0)


def way(milliseconds: float, *, accepted: bool = True, precision: str = "f32") -> Way:
    values = {"engine": "openvino", "precision": precision, "area_lost": 0, "flipped": 0, "reason": ""}
    return Way.model_validate({**values, "milliseconds": milliseconds, "accepted": accepted})


def test_what_a_precision_costs_is_counted_in_decisions() -> None:
    targets = np.array([0, 0, 1, 1])
    exact = (np.array([-2.0, -0.1, 0.1, 2.0]), np.array([1.0, 1.0, 1.0, 2.9]))
    assert compared(exact, exact, targets, RULE) == (0, 0)
    flagged = (np.array([-2.0, 0.05, 0.1, 2.0]), exact[1])
    assert compared(exact, flagged, targets, RULE) == (0, 0.25)
    referred = (exact[0], np.array([1.0, 1.0, 1.0, 3.1]))
    assert compared(exact, referred, targets, RULE) == (0, 0.25)
    assert compared(exact, (-exact[0], exact[1]), targets, RULE) == (1, 1)


def test_f32_stands_unless_another_precision_is_clearly_quicker() -> None:
    assert chosen([way(10), way(9.5, precision="bf16")]) == "f32"
    assert chosen([way(10), way(8, precision="bf16")]) == "bf16"
    assert chosen([way(10), way(8.5), way(8, precision="bf16")]) == "f32"
    assert chosen([way(10), way(8, accepted=False, precision="bf16")]) == "f32"


@pytest.mark.parametrize(
    ("losses", "accepted"), [((0.002, 0.01), True), ((0.0021, 0.0), False), ((0.0, 0.011), False), ((-0.1, 0.0), True)]
)
def test_the_limits_of_a_precision(losses: tuple[float, float], accepted: bool) -> None:
    found = ways._way("openvino", "bf16", 1.0, losses, same=True)
    assert found.accepted is accepted
    assert (found.reason == "good enough") is accepted


def test_golden_samples_are_held_to_what_rounding_does() -> None:
    exact = (np.array([1.0, 2.0], np.float32), np.array([1.0, 1.0], np.float32))
    served = np.stack(exact) + np.float32(0.02)
    assert tolerance(RuntimeContract(engine="openvino"), exact, served) == ways.EXACT
    rounded = RuntimeContract(engine="openvino", precision="bf16")
    assert tolerance(rounded, exact, np.stack(exact)) == ways.EXACT
    assert tolerance(rounded, exact, served) == pytest.approx(2 * 0.02 / 2.02)


@needs_bf16
def test_held_out_patients_are_answered_in_every_precision(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = find("lung_sound/cnn3")
    rows = datasets.read(tiny("lung_sound"))
    examples = prepared.load(rows, recipe.pipeline, recipe.target, tmp_path / "cache")
    options = replace(recipe.options("sound"), epochs=1, folds=2)
    plan = Plan(recipe, "sound", options, 7, 1, lambda *_: None, keep=tmp_path / "kept", precisions=("bf16", "int8"))
    assert not evaluate.out_of_fold(plan, examples).others, "the network is small"
    monkeypatch.setattr(ways, "_LARGE", 0)
    plan = replace(plan, keep=tmp_path / "kept again")
    held = evaluate.out_of_fold(plan, examples)
    again = evaluate.out_of_fold(plan, examples)
    names: tuple[Precision, ...] = ("bf16", "int8")
    for name in names:
        rounded = held.computed(name)
        assert rounded.scores == pytest.approx(held.scores, abs=0.1)
        assert not np.array_equal(rounded.scores, held.scores)
        assert np.array_equal(again.computed(name).scores, rounded.scores), "what was answered is kept"
    assert held.computed("f32") is held


@needs_bf16
def test_a_version_in_bf16(tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that stand in for the folds' differ; the stopwatch prefers bf16. All else is real."""
    spare("lung_sound/cnn3", tmp_path, monkeypatch)
    made_up = evaluate.out_of_fold

    def in_both(plan: Plan, examples: Examples) -> OutOfFold:
        held = made_up(plan, examples)
        return replace(held, others={"bf16": (held.scores + SHIFT, held.distances)})

    monkeypatch.setattr(evaluate, "out_of_fold", in_both)
    # The shift is there to be seen in the calibration; how many decisions it flips is another test's matter.
    monkeypatch.setattr(ways, "MOST_FLIPPED", 1.0)
    times = iter([2.0, 2.0, 1.0])
    monkeypatch.setattr(ways, "_milliseconds", lambda *_: next(times))
    budget, cache = Budget(epochs=2, folds=2, threads=1, nice=0), tmp_path / "cache"
    artefact = verify(train("lung_sound/cnn3", tiny("lung_sound"), tmp_path / "version", budget=budget, cache=cache))
    contract = artefact.card.runtime
    assert (contract.engine, contract.precision) == ("openvino", "bf16")
    assert [(tried.engine, tried.precision) for tried in contract.candidates] == [
        ("openvino", "f32"), ("onnxruntime", "f32"), ("openvino", "bf16"),
    ]  # fmt: skip
    scores, _ = runtimes.load(artefact, threads=1).run(runtimes.golden_inputs(artefact))
    exact, _ = runtimes.open_graph(artefact.model, "openvino", "f32", 1).run(runtimes.golden_inputs(artefact))
    assert not np.array_equal(scores, exact)
    assert runtimes.engines(contract) == ["openvino"]
    calibration = artefact.card.calibration
    middle = -calibration.intercept / calibration.slope
    assert middle == pytest.approx(SHIFT, abs=0.3), "calibrated on the answers in bf16"


@pytest.fixture(scope="module")
def small_net() -> tuple[export.Graph, export.Floats]:
    """cnn3 with random weights, and inputs (40, *shape)."""
    recipe = find("lung_sound/cnn3")
    torch.manual_seed(7)
    inputs = np.random.default_rng(7).random((40, *recipe.shape), dtype=np.float32)
    tensors = torch.from_numpy(inputs)
    return export.assemble(recipe.network("sound", tensors), recipe.novelty(tensors)), inputs


@pytest.fixture
def graphs(small_net: tuple[export.Graph, export.Floats], tmp_path: Path) -> dict[Precision, Path]:
    """Its exported graph in f32 and in int8."""
    graph, inputs = small_net
    model = tmp_path / "model.onnx"
    export.write(graph, inputs.shape[1:], model)
    return {"f32": model, "int8": ways.graph_in("int8", model, inputs, tmp_path)}


def test_int8_is_a_graph_of_its_own(
    graphs: dict[Precision, Path], small_net: tuple[export.Graph, export.Floats]
) -> None:
    """Eight bits a weight, nearly the same scores, the very same distances."""
    kinds = {node.op_type for node in onnx.load(graphs["int8"]).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    exact, rounded = (export.run(graphs[name], "openvino", name, small_net[1], 1) for name in graphs)
    assert rounded[0] == pytest.approx(exact[0], abs=0.05)
    assert not np.array_equal(rounded[0], exact[0])
    assert np.array_equal(rounded[1], exact[1])


@pytest.mark.parametrize(
    ("milliseconds", "lost", "flipped", "precision", "reason"),
    [
        (1.0, 0.001, 0.005, "int8", "good enough"),
        (1.95, 0.001, 0.005, "f32", "good enough"),
        (1.0, 0.001, 0.05, "f32", "5.0% of decisions flip, more than 1%"),
        (1.0, 0.01, 0.005, "f32", "AUROC on unseen patients lower by 0.0100, more than 0.002"),
    ],
)
def test_int8_serves_when_it_is_good_and_clearly_quicker(
    graphs: dict[Precision, Path],
    small_net: tuple[export.Graph, export.Floats],
    monkeypatch: pytest.MonkeyPatch,
    milliseconds: float,
    lost: float,
    flipped: float,
    precision: str,
    reason: str,
) -> None:
    times = iter([2.0, 2.0, milliseconds])
    monkeypatch.setattr(ways, "_milliseconds", lambda *_: next(times))
    found = ways.contract(graphs, "openvino", {"int8": (lost, flipped)}, small_net[1][:3], 1)
    assert found.precision == precision
    assert (found.candidates[-1].precision, found.candidates[-1].reason) == ("int8", reason)


def test_a_version_in_int8_holds_the_graph_that_serves(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that stand in for the folds' are f32's; the stopwatch prefers int8. All else is real."""
    spare("lung_sound/cnn3", tmp_path, monkeypatch)
    made_up = evaluate.out_of_fold

    def in_both(plan: Plan, examples: Examples) -> OutOfFold:
        held = made_up(plan, examples)
        return replace(held, others={"int8": (held.scores, held.distances)})

    monkeypatch.setattr(evaluate, "out_of_fold", in_both)
    times = iter([2.0, 2.0, 1.0])
    monkeypatch.setattr(ways, "_milliseconds", lambda *_: next(times))
    budget, cache = Budget(epochs=2, folds=2, threads=1, nice=0), tmp_path / "cache"
    artefact = verify(train("lung_sound/cnn3", tiny("lung_sound"), tmp_path / "version", budget=budget, cache=cache))
    contract = artefact.card.runtime
    assert (contract.engine, contract.precision, runtimes.engines(contract)) == ("openvino", "int8", ["openvino"])
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(artefact.model).graph.node}
    scores, _ = runtimes.load(artefact, threads=1).run(runtimes.golden_inputs(artefact))
    assert scores == pytest.approx(artefact.card.golden.scores, abs=1e-5)
