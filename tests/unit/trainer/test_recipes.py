"""Every registered recipe trains, exports, seals and serves; the documents' parameter counts are met."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from services.trainer import datasets, evaluate, prepared
from services.trainer.evaluate import Plan
from services.trainer.export import Graph
from services.trainer.recipe import find, parameters, recipes
from services.trainer.train import Budget, Progress, train
from shared import runtimes
from shared.decide import decide
from shared.errors import NotFound
from shared.registry import Artefact, verify
from shared.schemas import Decision
from tests.unit.trainer.economy import NETWORKS, UNTRAINED, spare

pytestmark = pytest.mark.trainer

PARAMETERS = {"cough/mlp": 186_369, "lung_sound/cnn3": 142_898, "chest_xray/cnn": 5_723_457}
SEED = 3


@pytest.mark.parametrize("mode", ["faithful", "sound"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_documents(name: str, mode: str) -> None:
    recipe = find(name)
    assert parameters(recipe.network(mode, torch.rand(4, *recipe.shape))) == PARAMETERS[name]


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(NotFound, match="no recipe cough/none"):
        find("cough/none")


@pytest.mark.parametrize("name", recipes())
def test_augmentation_keeps_shape_and_stays_finite(name: str) -> None:
    recipe = find(name)
    inputs = torch.rand(5, *recipe.shape)
    for mode in ("faithful", "sound"):
        moved = recipe.augment(inputs, mode)
        assert moved.shape == inputs.shape
        assert torch.isfinite(moved).all()


@pytest.mark.parametrize("name", [name for name in recipes() if name not in UNTRAINED])
def test_a_recipe_goes_from_files_to_decisions(
    name: str, tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare(name, tmp_path, monkeypatch)
    recipe, reports, graphs = find(name), list[Progress](), list[Graph]()
    _remember(graphs, monkeypatch)
    out = train(
        name, tiny(recipe.modality), tmp_path / "v", seed=SEED, name="tiny", budget=_budget(name), cache=tmp_path,
        on_progress=reports.append,
    )  # fmt: skip

    artefact = verify(out)
    assert (artefact.card.recipe, artefact.card.name) == (name, "tiny")
    assert reports[-1].stage == "all patients"
    assert reports[-1].epoch is not None
    assert math.isfinite(reports[-1].epoch.loss)
    dataset = datasets.read(tiny(recipe.modality))
    assert artefact.card.data.fingerprint == dataset.fingerprint
    inputs = prepared.load(dataset, recipe.pipeline, recipe.target, tmp_path).inputs
    served = zip(*runtimes.load(artefact, threads=1).run(inputs), strict=True)
    with torch.inference_mode():
        trained = zip(*(part.tolist() for part in graphs[-1](torch.from_numpy(inputs))), strict=True)
    for ours, theirs in zip(served, trained, strict=True):
        assert _decision(artefact, *ours) == _decision(artefact, *theirs)


def test_a_repeated_training_gives_the_same_scores(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = []
    for number in range(2):
        out = train("cough/mlp", tiny("cough"), tmp_path / str(number), budget=_budget("cough/mlp"), cache=tmp_path)
        cards.append(verify(out).card)
    assert cards[0].golden == cards[1].golden
    assert cards[0].metrics == cards[1].metrics


def _budget(name: str) -> Budget:
    return Budget(epochs=2 if name in {"chest_xray/cnn", *NETWORKS} else 6, folds=2, threads=1, nice=0)


def _remember(graphs: list[Graph], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every graph that is trained; the last one is the version."""
    original = evaluate.train_graph

    def remembering(plan: Plan, examples: prepared.Examples, stage: str) -> Graph:
        graphs.append(original(plan, examples, stage))
        return graphs[-1]

    monkeypatch.setattr(evaluate, "train_graph", remembering)


def _decision(artefact: Artefact, score: float, distance: float) -> Decision:
    return decide(artefact.card, float(score), float(distance), {}).decision
