"""Every registered recipe trains, exports, seals and serves; the documents' parameter counts are met."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from services.trainer import datasets, prepared
from services.trainer.export import PARITY
from services.trainer.recipe import find, parameters, recipes
from services.trainer.train import train
from shared import runtimes
from shared.decide import decide
from shared.errors import NotFound
from shared.registry import verify
from tests.support.trained import NAMES, Trainings, budget

pytestmark = pytest.mark.trainer

PARAMETERS = {"cough/mlp": 186_369, "lung_sound/cnn3": 142_898, "chest_xray/cnn": 5_723_457}


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


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_goes_from_files_to_decisions(name: str, trained: Trainings) -> None:
    made = trained(name)
    artefact, recipe = made.artefact, made.recipe
    assert artefact.card.recipe == name
    assert made.reports[-1].stage == "all patients"
    assert made.reports[-1].epoch is not None
    assert math.isfinite(made.reports[-1].epoch.loss)
    assert artefact.card.data.fingerprint == datasets.read(made.data).fingerprint
    runtime = runtimes.load(artefact, threads=1)
    for file in made.files():
        tensor, facts = prepared.prepare_file(file, recipe.pipeline)
        ((score,), (distance,)) = runtime.run(tensor[None])
        served, expected = decide(artefact.card, float(score), float(distance), facts), made.verdict(file)
        assert served.decision == expected.decision
        assert served.probability == pytest.approx(expected.probability, abs=PARITY)


def test_a_repeated_training_gives_the_same_scores(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = []
    for number in range(2):
        out = train("cough/mlp", tiny("cough"), tmp_path / str(number), budget=budget("cough/mlp"), cache=tmp_path)
        cards.append(verify(out).card)
    assert cards[0].golden == cards[1].golden
    assert cards[0].metrics == cards[1].metrics
