"""The versions that measurements run: EfficientNet-B3 at 300 x 300 and cough/mlp, with random weights.

Exported and sealed by the trainer's own code. What they answer means nothing; what they cost is what a trained version
of the same recipe costs.
"""

import functools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision import models

from bench.stack import Bench
from services.trainer import export
from services.trainer.backbones import Scale
from services.trainer.layers import Difference, ThreeChannels
from services.trainer.novelty import Eigenpictures
from services.trainer.recipe import recipes
from shared.deployments import open_deployment, publish
from shared.registry import Artefact, seal, store
from shared.runtimes import Runtime, open_graph
from shared.schemas import Modality, RuntimeContract, Step
from shared.transforms.pipelines import PIPELINES
from tests.support.versions import card

SIDE = 300
GROUP = 8
XRAY, COUGH = "chest_xray/efficientnet_b3", "cough/mlp"
_GOLDEN = 3
_RUNTIMES = (("openvino", "bf16"), ("openvino", "f32"), ("onnxruntime", "f32"))
_BFLOAT = "avx512_bf16"  # without it the engine computes bf16 by detours
Floats = NDArray[np.float32]


def efficientnet(folder: Path) -> Path:
    """A sealed version of `chest_xray/efficientnet_b3`, one pass a picture, in the runtime that is fastest here."""
    inputs = np.random.default_rng(7).random((16, 1, SIDE, SIDE), dtype=np.float32)
    network = b3(inputs)
    graph = export.assemble(network, Eigenpictures(torch.from_numpy(inputs), pool=SIDE // 8, components=16))
    return _sealed(folder, XRAY, graph, (1, SIDE, SIDE), xray_steps(), inputs)


def b3(inputs: Floats) -> nn.Sequential:
    """EfficientNet-B3 with random weights, settled on inputs (n, 1, 300, 300); in evaluation mode."""
    torch.manual_seed(7)
    base = models.efficientnet_b3(weights=None, num_classes=2)
    network = nn.Sequential(ThreeChannels(), Scale(), base, Difference())
    _settle(network, torch.from_numpy(inputs))
    return network.eval()


def xray_steps() -> list[Step]:
    """The pipeline of chest_xray/cnn at 300 x 300."""
    return [_resized(step) for step in PIPELINES["chest_xray/cnn"]]


def cough_mlp(folder: Path) -> Path:
    """A sealed version of `cough/mlp`."""
    torch.manual_seed(7)
    inputs = np.random.default_rng(7).standard_normal((64, 26)).astype(np.float32)
    recipe, tensors = recipes()[COUGH], torch.from_numpy(inputs)
    graph = export.assemble(recipe.network("sound", tensors), recipe.novelty(tensors))
    return _sealed(folder, COUGH, graph, (26,), list(PIPELINES[COUGH]), inputs)


def serve(place: Bench, folder: Path) -> Artefact:
    """Store and publish a sealed version, and make it the one that answers."""
    artefact = store(folder, place.settings.versions_dir)
    with place.database.begin() as session:
        open_deployment(session, publish(session, artefact, "bench"), "bench")
    return artefact


def fastest(model: Path, group: Floats) -> tuple[str, str]:
    """Engine and precision that answer this group soonest on this machine."""
    timed = {}
    for engine, precision in _RUNTIMES:
        if precision == "bf16" and not _has_bf16():
            continue
        timed[engine, precision] = best(functools.partial(open_graph(model, engine, precision, 0).run, group))
    return min(timed, key=timed.__getitem__)


def best(action: Callable[[], object], runs: int = 5) -> float:
    """The least time of several (seconds), after one that warms up."""
    action()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return min(times)


def _sealed(
    folder: Path, recipe: str, graph: export.Graph, shape: tuple[int, ...], steps: list[Step], inputs: Floats
) -> Path:
    folder.mkdir(parents=True)
    model = folder / "model.onnx"
    export.write(graph, shape, model)
    engine, precision = fastest(model, inputs[:GROUP])
    golden = inputs[:_GOLDEN]
    np.save(folder / "golden.npy", golden)
    scores, distances = (part.tolist() for part in _one_by_one(open_graph(model, engine, precision, 0), golden))
    contract = recipes()[recipe]
    described = card(
        Modality(recipe.partition("/")[0]), recipe, "bench-1", list(shape), contract.finding,
        contract.input.media_types, scores, distances, steps,
    )  # fmt: skip
    runtime = RuntimeContract(engine=engine, precision=precision)
    # Random weights: how far bf16 lies from f32 says nothing here, so only nonsense is refused.
    proven = described.golden.model_copy(update={"tolerance": 0.1})
    described = described.model_copy(update={"runtime": runtime, "golden": proven})
    (folder / "card.json").write_text(described.model_dump_json(indent=1))
    (folder / "NOTICE.md").write_text("A measurement's version; trained on nothing.\n")
    seal(folder)
    return folder


def _settle(network: nn.Module, inputs: torch.Tensor) -> None:
    """Give every normalisation the statistics of its input, or random weights fade to numbers that are slow."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(inputs)


def _one_by_one(runtime: Runtime, golden: Floats) -> Floats:
    return np.concatenate([np.stack(runtime.run(sample[None])) for sample in golden], axis=1)


def _resized(step: Step) -> Step:
    if step.transform != "resize_picture":
        return step
    return Step(transform=step.transform, params={"height": SIDE, "width": SIDE})


def _has_bf16() -> bool:
    path = Path("/proc/cpuinfo")
    return path.exists() and _BFLOAT in path.read_text(encoding="utf-8")
