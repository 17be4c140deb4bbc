"""The documented networks: parameter counts, where weights come from, frozen bases, views, checkpoints."""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from services.trainer import bottleneck, datasets, fit, predictions, prepared, weights
from services.trainer.backbones import Frozen, Staged, Views
from services.trainer.checkpoints import Checkpoints, restore
from services.trainer.recipe import Options, find, parameters
from shared.errors import BadRequest
from tests.unit.trainer.economy import small, spare

pytestmark = pytest.mark.trainer

# The first and the fourth are the documents' (128,989,185 by arithmetic from "~130 M"); torchvision's B3 with two
# outputs has exactly the 10,699,306 of efficientnet_pytorch. The others are what our readings give.
LEARNT = {
    "chest_xray/efficientnet_b3": 10_699_306,
    "chest_xray/efficientnet_b0": 4_010_110,
    "chest_xray/efficientnet_b7": 63_792_082,
    "cough/vgg16_finetune": 128_989_185,
    "cough/vgg16_bottleneck": 844_161,
    "lung_sound/cnn1": 897_226,
    "lung_sound/cnn2": 243_434,
    "lung_sound/inception_v3": 2_229_634,
    "lung_sound/resnet50": 2_229_634,
    "chest_xray/mobilenet_lung": 1_281,
}


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, no cache of this machine."""
    for name in ("THORACLE_HOME", "TORCH_HOME", "THORACLE_WEIGHTS_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)


@pytest.fixture
def examples(tiny: Callable[[str], Path], tmp_path: Path) -> prepared.Examples:
    recipe = find("lung_sound/cnn2")
    return prepared.load(datasets.read(tiny("lung_sound")), recipe.pipeline, recipe.target, tmp_path)


@pytest.mark.parametrize("name", LEARNT)
def test_as_many_parameters_learn_as_the_document_says(name: str) -> None:
    recipe = find(name)
    with weights.random_start():
        assert parameters(recipe.network("faithful", torch.rand(2, *recipe.shape))) == LEARNT[name]
        if not name.startswith("lung_sound/cnn"):
            assert recipe.initialisation() == weights.RANDOM


def test_the_bottleneck_is_512_by_9_by_13() -> None:
    recipe = find("cough/vgg16_bottleneck")
    with weights.random_start():
        network = recipe.network("faithful", torch.rand(1, *recipe.shape))
    assert isinstance(network, Staged)
    with torch.no_grad():
        assert network.base(torch.rand(1, *recipe.shape)).shape == (1, 512, 9, 13)


def test_mobilenet_loads_with_all_keys(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = data.parent / "weights"
    if not folder.is_dir():
        pytest.skip("the weights are not beside the data")
    monkeypatch.setenv("THORACLE_WEIGHTS_DIR", str(folder))
    network, start = weights.load("mobilenet_v2")
    assert start == "ImageNet weights of torchvision (mobilenet_v2-b0353104.pth)"
    published = torch.load(folder / "mobilenet_v2-b0353104.pth", weights_only=True)  # noqa: TID251
    assert all(torch.equal(value, published[name]) for name, value in network.state_dict().items())
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("architecture", ["vgg16", "mobilenet_v2"])
def test_without_weights_nobody_starts_at_random_unasked(architecture: str) -> None:
    with pytest.raises(BadRequest, match="THORACLE_WEIGHTS_DIR"):
        weights.load(architecture)
    with weights.random_start():
        _, start = weights.load(architecture, "features")
    assert start == "random initialisation, not a reproduction"
    with pytest.raises(BadRequest, match="no reproduction"):
        weights.load(architecture)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(BadRequest, match="no ImageNet weights for alexnet_9"):
        weights.load("alexnet_9")


def test_a_file_is_checked_against_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "THORACLE_WEIGHTS_DIR"
    state = models.mobilenet_v2(weights=None).state_dict()
    good = _save(folder, "mobilenet_v2", state)
    monkeypatch.setattr(weights, "published_name", lambda _: good.name)
    network, _ = weights.load("mobilenet_v2")
    assert torch.equal(network.state_dict()["classifier.1.weight"], state["classifier.1.weight"])

    forged = folder / "forged-00000000.pth"
    forged.write_bytes(good.read_bytes())
    nameless = folder / "nameless.pth"
    nameless.write_bytes(good.read_bytes())
    for file, words in ((forged, "does not match"), (nameless, "names no sha256")):
        with pytest.raises(BadRequest, match=words):
            weights.read_state(file)
    other = _save(folder, "other", {"weight": torch.zeros(1)})
    monkeypatch.setattr(weights, "published_name", lambda _: other.name)
    with pytest.raises(BadRequest, match="keys"):
        weights.load("mobilenet_v2")


def test_inception_takes_published_weights_without_the_auxiliary_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = models.inception_v3(weights=None, init_weights=False).state_dict()
    file = _save(tmp_path / "THORACLE_WEIGHTS_DIR", "inception_v3", state)
    monkeypatch.setattr(weights, "published_name", lambda _: file.name)
    network, _ = weights.load("inception_v3")
    assert not any(name.startswith("AuxLogits") for name in network.state_dict())


def test_a_frozen_base_stays_as_it_is() -> None:
    base = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    frozen = Frozen(base).train()
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    frozen(torch.rand(4, 1, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())
    assert parameters(frozen) == 0


def test_features_are_computed_once() -> None:
    calls = []

    class Counting(nn.Conv2d):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            calls.append(len(inputs))
            return super().forward(inputs)

    base, inputs = Counting(1, 2, 3), torch.rand(11, 1, 8, 8)
    first, second = bottleneck.features(base, inputs[:7]), bottleneck.features(base, inputs)
    assert sum(calls) == 11
    assert torch.equal(first, second[:7])
    with torch.no_grad():
        assert torch.allclose(second.float(), base(inputs), atol=1e-2)
    bottleneck.features(Counting(1, 2, 3), inputs)
    assert sum(calls) == 11 + 11 + 11


def _read() -> nn.Module:
    class Read(nn.Conv2d):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs)

    torch.manual_seed(1)
    return Read(1, 2, 3)


def _read_twice() -> nn.Module:
    class Read(nn.Conv2d):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs) * 2

    torch.manual_seed(1)
    return Read(1, 2, 3)


def test_what_a_base_computes_is_part_of_what_is_kept() -> None:
    inputs = torch.rand(3, 1, 8, 8)
    once, twice = bottleneck.features(_read(), inputs), bottleneck.features(_read_twice(), inputs)
    assert torch.allclose(twice.float(), 2 * once.float(), atol=1e-2)
    assert not torch.allclose(twice, once)


def test_a_head_learns_on_features_and_answers_on_pictures(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "cough/vgg16_bottleneck"
    spare(name, tmp_path, monkeypatch)
    recipe = find(name)
    rows = prepared.load(datasets.read(tiny("cough")), recipe.pipeline, recipe.target, tmp_path)
    epochs: list[fit.Epoch] = []
    options = replace(recipe.options("faithful"), epochs=2, rate=1e-3)
    network = fit.fit(recipe, "faithful", options, rows, 1, epochs.append)
    assert isinstance(network, Staged)
    assert [epoch.number for epoch in epochs] == [1, 2]
    inputs = torch.from_numpy(rows.inputs)
    with torch.no_grad():
        whole, head = network(inputs), network.head(bottleneck.features(network.base, inputs).float())
    assert torch.allclose(whole, head, atol=1e-2, rtol=1e-2)


def test_views_answer_with_their_mean_and_always_the_same() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
    views = Views(network, [(0.0, 1.0, False), (0.0, 1.0, True)], (8, 8)).eval()
    pictures = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        expected = (network(pictures) + network(pictures.flip(3))) / 2
        assert torch.allclose(views(pictures), expected, atol=1e-5)
        assert torch.equal(views(pictures), views(pictures))
        assert torch.equal(views.train()(pictures), network(pictures))


def test_the_articles_ladder_is_there() -> None:
    ladder = find("chest_xray/efficientnet_b3").variants()
    assert {options.balance for options in ladder.values()} == {"none", "class", "upsample"}
    assert {options.rate for options in ladder.values()} == {1e-2, 1e-3, 1e-4, 1e-5}
    assert {options.batch for options in ladder.values()} == {256, 64, 32, 16}
    assert find("lung_sound/cnn1").variants()["literal rate"].rate == 1e-6


def test_the_rarer_class_is_repeated_and_nothing_dropped() -> None:
    targets = torch.tensor([1, 0, 0, 0, 0, 0, 1, 0, 0])
    order = fit._upsampled(targets)
    assert sorted(set(order.tolist())) == list(range(9))
    assert int(targets[order].sum()) == 6  # seven over two is three times


def test_checkpoints_keep_chosen_epochs_the_best_and_the_last(tmp_path: Path, examples: prepared.Examples) -> None:
    recipe, options = find("lung_sound/cnn2"), Options(epochs=3, batch=16, rate=1e-3)
    keep = Checkpoints(tmp_path / "kept", (1, 10))
    network = fit.fit(recipe, "faithful", options, examples, 1, lambda _: None, keep)
    assert {file.name for file in keep.folder.iterdir()} == {"epoch-1.npz", "best.npz", "last.npz"}
    again = recipe.network("faithful", torch.from_numpy(examples.inputs)).eval()
    restore(again, keep.folder / "last.npz")
    inputs = torch.from_numpy(examples.inputs)
    with torch.no_grad():
        assert torch.equal(again(inputs), network(inputs))


def test_predictions_become_a_table(tmp_path: Path, examples: prepared.Examples) -> None:
    probabilities = np.linspace(0, 1, len(examples))
    predictions.write(tmp_path / "out.csv", examples, probabilities, 0.5)
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == predictions.COLUMNS
    assert [int(row["flagged"]) for row in rows] == [int(value >= 0.5) for value in probabilities]
    with pytest.raises(BadRequest):
        predictions.write(tmp_path / "out.csv", examples, probabilities[:3], 0.5)


def test_small_recipes_keep_their_kind() -> None:
    assert isinstance(small("lung_sound/cnn2"), type(find("lung_sound/cnn2")))


def _save(folder: Path, name: str, state: dict[str, torch.Tensor]) -> Path:
    folder.mkdir(exist_ok=True)
    draft = folder / "draft"
    torch.save(state, draft)
    return draft.rename(folder / f"{name}-{hashlib.sha256(draft.read_bytes()).hexdigest()[:8]}.pth")
