"""How big networks go through the tests of all recipes within seconds: smaller inputs, and two steps of one fit.

A network's architecture stays whole except where its size hangs on the input. Every recipe is fitted once; answers made
up from the labels stand in for those of folds and other sources, which `test_a_repeated_training...` and the gates'
tests go through. Of the eight EfficientNets, which are one file, B0 is trained.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from services.trainer import controls, evaluate, generated, metrics, rates, recipe
from services.trainer.evaluate import OutOfFold, Plan
from services.trainer.folds import folds
from services.trainer.prepared import Examples
from services.trainer.recipe import Recipe, find
from shared.schemas import Interval, Step

NETWORKS: dict[str, dict[str, Any]] = {
    "chest_xray/efficientnet_b0": {"shape": (1, 64, 64)},
    "chest_xray/mobilenet_lung": {"shape": (1, 64, 64)},
    "cough/vgg16_bottleneck": {"shape": (3, 128, 128)},
    "cough/vgg16_finetune": {"shape": (3, 64, 64), "filters": 16},
    "lung_sound/cnn1": {},
    "lung_sound/cnn2": {},
    "lung_sound/inception_v3": {},
    "lung_sound/resnet50": {},
    "lung_sound/yamnet": {},
}
_bootstrap = metrics.bootstrap
UNTRAINED = tuple(f"chest_xray/efficientnet_b{size}" for size in range(1, 8))


def spare(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this recipe be fitted once; a big network starts at random and small as well."""
    monkeypatch.setenv("THORACLE_HOME", str(folder / "home"))
    monkeypatch.setattr(evaluate, "out_of_fold", _made_up)
    monkeypatch.setattr(evaluate, "across_sources", lambda plan, examples: {})
    monkeypatch.setattr(controls, "measure", lambda *_: [])
    for module in (metrics, rates):
        monkeypatch.setattr(module, "bootstrap", _few_draws)
    few = {modality: writers[:2] for modality, writers in generated._JUNK.items()}
    monkeypatch.setattr(generated, "_JUNK", few)
    if name not in NETWORKS:
        return
    monkeypatch.setenv("THORACLE_RANDOM_WEIGHTS", "true")
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    monkeypatch.setitem(recipe._REGISTRY, name, small(name))


def _few_draws(*given: Any, **named: Any) -> Interval:
    """The intervals of a tiny version mean nothing: twenty draws."""
    return _bootstrap(*given[:5], draws=20)


def small(name: str) -> Recipe:
    """The recipe with the inputs of `NETWORKS`."""
    kind = type(find(name))
    changes = NETWORKS[name]
    shape = changes.get("shape", kind.shape)
    smaller: Recipe = type("Small", (kind,), {**changes, "pipeline": _resized(kind.pipeline, shape)})()
    return smaller


def _resized(steps: list[Step], shape: tuple[int, ...]) -> list[Step]:
    if len(shape) == 1:
        return steps
    side = {"height": shape[1], "width": shape[-1]}
    return [
        step.model_copy(update={"params": {**step.params, **side}}) if "height" in step.params else step
        for step in steps
    ]


def _made_up(plan: Plan, examples: Examples) -> OutOfFold:
    generator = np.random.default_rng(plan.seed)
    inputs = torch.from_numpy(examples.inputs)
    with torch.no_grad():
        distances = plan.recipe.novelty(inputs)(inputs).double().numpy()
    scores = 2.0 * examples.targets - 1 + generator.normal(0, 0.7, len(examples))
    return OutOfFold(scores, distances, list(folds(examples, plan.options.folds, plan.seed)))
