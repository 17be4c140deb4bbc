"""`python -m bench.runtimes`: EfficientNet-B3 at 300 x 300 through each runtime, against eager PyTorch in f32.

The base has random weights. Its last layer is fitted to real X-rays, so that a precision can be judged on held-out
patients as at publishing: no gate says anything of answers that mean nothing.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torchvision import models

from bench.record import Claim, at_least, figure, tell
from bench.versions import GROUP, SIDE, Floats, b3, xray_steps
from services.trainer import calibrate, datasets, export, prepared, ways
from services.trainer.folds import folds
from services.trainer.novelty import Eigenpictures
from services.trainer.prepared import Examples
from services.trainer.recipe import find
from shared.runtimes import open_graph
from shared.schemas import Engine, Precision, Way

DATA = Path(__file__).parents[2] / "shared" / "data" / "cxr"
PICTURES, ROUNDS = 240, 9
_WITH_BF16, _WITHOUT = 4.0, 3.0
Graphs = Mapping[Precision, Path]


def main() -> None:
    """Measure and write bench/results/runtimes.json."""
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        examples = _pictures(Path(folder))
        training, held_out = next(folds(examples, 2, 7))
        network = b3(examples.inputs[training[:16]])
        _fit_head(network, examples.take(training))
        graph = export.assemble(
            network, Eigenpictures(torch.from_numpy(examples.inputs), pool=SIDE // 8, components=16)
        )
        model = Path(folder) / "model.onnx"
        export.write(graph, (1, SIDE, SIDE), model)
        names: tuple[Precision, ...] = ("f32", *ways.beside_f32("openvino"))
        inputs = examples.inputs[training]
        graphs = {name: ways.graph_in(name, model, inputs, Path(folder)) for name in names}
        tell("runtimes", _claims(network, graphs, examples.take(held_out)))


def _claims(network: nn.Module, graphs: Graphs, held_out: Examples) -> list[Claim]:
    contract = ways.contract(graphs, "openvino", _losses(graphs, held_out), held_out.inputs[:3], 2)
    seconds = _interleaved(
        network, graphs, [(way.engine, way.precision) for way in contract.candidates], held_out.inputs
    )
    accepted = {f"{way.engine} {way.precision}" for way in contract.candidates if way.accepted}
    best = min(accepted, key=lambda name: statistics.median(seconds[name]))
    limit = _WITH_BF16 if any("bf16" in name for name in accepted) else _WITHOUT
    ratios = {
        name: [e / one for e, one in zip(seconds["eager"], values, strict=True)] for name, values in seconds.items()
    }
    judged = {f"{way.engine} {way.precision}": _judged(way) for way in contract.candidates}
    return [
        at_least(
            f"EfficientNet-B3 at {SIDE}²: {best} over eager PyTorch f32", ratios[best], "times", limit, judged[best]
        ),
        *(figure(f"{name} over eager", ratios[name], "times", judged[name]) for name in judged),
        *(
            figure(f"{name}, groups of {GROUP}", [GROUP / one for one in seconds[name]], "pictures/s")
            for name in seconds
        ),
    ]


def _interleaved(
    network: nn.Module, graphs: Graphs, tried: list[tuple[Engine, Precision]], inputs: Floats
) -> dict[str, list[float]]:
    """Seconds of one group, every way in turn, round after round."""
    group = np.ascontiguousarray(inputs[:GROUP])
    actions: dict[str, Callable[[], object]] = {"eager": lambda: _eager(network, group)}
    for engine, precision in tried:
        runtime = open_graph(graphs[precision], engine, precision, 2)
        actions[f"{engine} {precision}"] = partial(runtime.run, group)
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(ROUNDS + 1):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - began)
    return {name: values[1:] for name, values in seconds.items()}  # the first round warms up


def _eager(network: nn.Module, group: Floats) -> torch.Tensor:
    with torch.inference_mode():
        answer: torch.Tensor = network(torch.from_numpy(group))
    return answer


def _losses(graphs: Graphs, held_out: Examples) -> dict[Precision, tuple[float, float]]:
    """AUROC lost and decisions flipped by each precision on patients that the last layer was not fitted to."""
    found = {name: _wide(export.run(graph, "openvino", name, held_out.inputs, 2)) for name, graph in graphs.items()}
    exact = found.pop("f32")
    calibration = calibrate.sigmoid(held_out.targets, exact[0])
    threshold = calibrate.threshold(held_out.targets, calibrate.apply(calibration, exact[0]), 0.9)
    rule = ways.Rule(calibration, threshold, np.quantile(exact[1], 0.96))
    return {name: ways.compared(exact, other, held_out.targets, rule) for name, other in found.items()}


def _wide(answers: tuple[Floats, Floats]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return answers[0].astype(np.float64), answers[1].astype(np.float64)


def _judged(way: Way) -> str:
    return f"AUROC lost {way.area_lost:.4f}, decisions flipped {way.flipped:.2%}: {way.reason}"


def _pictures(cache: Path) -> Examples:
    """Real X-rays of both classes, evenly over the data set."""
    if not DATA.is_dir():
        raise SystemExit("This measurement needs the development data (../shared/data) beside the repository.")
    recipe = find("chest_xray/efficientnet_b3")
    rows = datasets.read(DATA).where(lambda row: recipe.target(row) is not None).rows
    chosen = set(rows[:: max(1, len(rows) // PICTURES)])
    return prepared.load(datasets.read(DATA).where(chosen.__contains__), xray_steps(), recipe.target, cache)


def _fit_head(network: nn.Sequential, training: Examples) -> None:
    """Fit the last layer by logistic regression on what the random base makes of the pictures."""
    base = cast(models.EfficientNet, network[2])
    head = cast(nn.Linear, cast(nn.Sequential, base.classifier)[1])
    base.classifier = nn.Sequential(nn.Identity())
    body = network[:3]
    with torch.inference_mode():
        features = torch.cat([body(part) for part in torch.split(torch.from_numpy(training.inputs), GROUP)]).numpy()
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(features, training.targets)
    scaler, line = fitted[0], fitted[1]
    weights = line.coef_[0] / scaler.scale_
    with torch.no_grad():
        head.weight.zero_()[1] += torch.tensor(weights, dtype=torch.float32)
        head.bias.zero_()[1] += float(line.intercept_[0] - weights @ scaler.mean_)
    base.classifier = nn.Sequential(nn.Identity(), head)


if __name__ == "__main__":
    main()
