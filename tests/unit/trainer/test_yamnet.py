"""A frozen network for sounds out of its published file, and boosted trees as a layer behind it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier

from services.trainer import weights, yamnet
from services.trainer.forest import SoftTrees
from shared.errors import BadRequest
from shared.transforms.yamnet import SIZE

pytestmark = pytest.mark.trainer


@pytest.mark.parametrize("depth", [1, 3])
def test_trees_in_a_graph_answer_as_the_fitted_ones(depth: int) -> None:
    generator = np.random.default_rng(2)
    rows = generator.normal(size=(400, 12)).astype(np.float32)
    targets = (rows[:, 0] * rows[:, 1] + rows[:, 2] > 0).astype(int)
    boosting = GradientBoostingClassifier(n_estimators=40, max_depth=depth, subsample=0.5, random_state=1)
    boosting.fit(rows, targets, sample_weight=1 + targets)
    soft = SoftTrees(boosting)(torch.from_numpy(rows)).numpy()
    hard = boosting.decision_function(rows)
    assert np.corrcoef(soft, hard)[0, 1] > 0.995
    assert np.median(np.abs(soft - hard)) < 0.1
    nudged = SoftTrees(boosting)(torch.from_numpy(rows * (1 + 1e-6))).numpy()
    assert np.abs(nudged - soft).max() < 1e-3  # no branch flips by what two engines differ in


def test_the_base_hears_every_speed() -> None:
    with weights.random_start():
        layers, start = yamnet.load()
    assert start == weights.RANDOM
    heard = yamnet.Heard(layers).eval()
    with torch.no_grad():
        found = heard(torch.randn(2, SIZE))
    assert found.shape == (2, yamnet.VECTOR + yamnet.MOMENTS * 2 * yamnet.CHANNELS)
    assert len([layer for layer in layers if isinstance(layer, torch.nn.Conv2d)]) == 1 + 2 * yamnet.LAYERS


def test_without_the_file_or_with_another_nobody_starts_at_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THORACLE_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.delenv("THORACLE_RANDOM_WEIGHTS", raising=False)
    with pytest.raises(BadRequest, match="not in THORACLE_WEIGHTS_DIR"):
        yamnet.load()
    (tmp_path / yamnet.FILE).write_bytes(b"another network")
    with pytest.raises(BadRequest, match="not that of the published file"):
        yamnet.load()


def test_the_published_weights_are_read(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = data.parent / "weights" / yamnet.FILE
    if not file.is_file():
        pytest.skip("the weights are not beside the data")
    shutil.copy(file, tmp_path)
    monkeypatch.setenv("THORACLE_WEIGHTS_DIR", str(tmp_path))
    layers, start = yamnet.load()
    assert yamnet.FILE in start
    with torch.no_grad():
        silence, noise = (layers(torch.full((1, 1, 96, 64), value)) for value in (-6.9, 0.0))
    assert silence.shape == (1, yamnet.CHANNELS, 6, 4)
    assert torch.isfinite(noise).all()
    assert not torch.allclose(silence, noise)
