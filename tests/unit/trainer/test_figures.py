"""Figures on data whose answers are known."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from services.trainer import calibrate, export, metrics, novelty
from services.trainer.layers import Squeeze
from shared.errors import VersionInvalid

pytestmark = pytest.mark.trainer


def _answers(n: int = 400, lift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    targets = (np.arange(n) % 4 == 0).astype(np.int64)
    return targets, generator.normal(0, 1, n) + lift * targets


def test_auroc_counts_ties_by_half() -> None:
    targets, scores = _answers()
    assert metrics.auroc(targets, scores.round(1)) == pytest.approx(roc_auc_score(targets, scores.round(1)))


def test_wilson_is_the_published_interval() -> None:
    assert metrics.wilson(19, 19).low == pytest.approx(0.832, abs=1e-3)
    assert metrics.wilson(30, 30).low == pytest.approx(0.886, abs=1e-3)


def test_an_interval_over_patients_is_wider_than_one_over_rows() -> None:
    targets, scores = (np.repeat(part, 8) for part in _answers(60))
    patients = [str(row // 8) for row in range(len(targets))]
    rows = [str(row) for row in range(len(targets))]
    wide = metrics.bootstrap(metrics.auroc, targets, scores, patients, 1, draws=200)
    narrow = metrics.bootstrap(metrics.auroc, targets, scores, rows, 1, draws=200)
    assert wide.low < wide.value < wide.high
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_calibration_makes_probabilities_out_of_any_scale() -> None:
    targets, scores = _answers(4000, lift=2.0)
    fitted = calibrate.sigmoid(targets, scores * 30 + 5)
    probabilities = calibrate.apply(fitted, scores * 30 + 5)
    assert probabilities.mean() == pytest.approx(targets.mean(), abs=0.01)
    assert metrics.calibration_error(targets, probabilities) < 0.03


def test_a_score_that_knows_nothing_is_not_published() -> None:
    targets, scores = _answers()
    with pytest.raises(VersionInvalid, match="nothing was learnt"):
        calibrate.sigmoid(targets, -scores)


def test_the_threshold_reaches_its_sensitivity_and_no_more_than_it_must() -> None:
    targets, scores = _answers()
    probabilities = 1 / (1 + np.exp(-scores))
    limit = calibrate.threshold(targets, probabilities, 0.9)
    positives = probabilities[targets == 1]
    assert (positives >= limit).mean() >= 0.9
    assert (positives >= limit + 0.001).mean() < 0.92


def test_crossed_answers_do_not_see_their_own_fold() -> None:
    targets, scores = _answers()
    places = [np.arange(200), np.arange(200, 400)]
    before = calibrate.crossed(targets, scores, places, 0.9)
    scores[:200] += 50
    after = calibrate.crossed(targets, scores, places, 0.9)
    assert np.all(after.probabilities[:200] > 0.999)
    assert not np.allclose(before.probabilities[200:], after.probabilities[200:])


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (lambda x: novelty.Mahalanobis(x), (26,)),
        (lambda x: novelty.Eigenpictures(x, 4, 8), (1, 32, 32)),
        (lambda x: novelty.FeatureComponents(nn.Tanh(), torch.tanh(x), [(0, 16), (16, 26)], 8), (26,)),
    ],
)
def test_junk_is_farther_than_the_data(model: object, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    pattern = torch.rand(1, *shape)
    inputs = pattern + 0.1 * torch.randn(80, *shape)
    fitted = model(inputs)  # type: ignore[operator]
    held_out = fitted(pattern + 0.1 * torch.randn(20, *shape))
    junk = fitted(torch.rand(20, *shape).flip(-1) * 3)
    assert junk.min() > 1.5 * held_out.max()


def test_a_graph_that_differs_is_not_published(tmp_path: object) -> None:
    network = nn.Sequential(nn.Linear(26, 1), Squeeze())
    graph = export.assemble(network, novelty.Mahalanobis(torch.randn(40, 26)))
    inputs = torch.randn(5, 26)
    with torch.no_grad():
        scores, distances = (part.numpy() for part in graph(inputs))
    assert export.prove_parity(graph, inputs.numpy(), (scores, distances)) <= export.PARITY
    with pytest.raises(VersionInvalid, match="differs"):
        export.prove_parity(graph, inputs.numpy(), (scores + 0.01, distances))
