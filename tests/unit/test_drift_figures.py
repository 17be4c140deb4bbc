"""How far two histograms are apart: by hand, against scipy, and against what chance does."""

import math

import numpy as np
import pytest
from scipy import stats

from services.api.drift.figures import distance, psi
from services.api.drift.judging import Limits, judge

LIMITS = Limits(raised=0.25, cleared=0.1, results=100, reference=100)


def test_the_index_is_the_textbooks() -> None:
    assert psi([1, 3], [3, 1]) == pytest.approx((3.5 / 5 - 1.5 / 5) * math.log(3.5 / 1.5) * 2)
    assert psi([10, 20, 30], [10, 20, 30]) == 0


def test_thin_bins_are_joined_and_thick_ones_stay_alone() -> None:
    alone = [0, 0, 100, 0, 0]
    assert distance(alone, [0, 100, 0, 0, 0]).psi > 2, "what fell left of the only bin has left it"
    assert distance([5, 5, 5, 5] * 10, [10, 0, 10, 0] * 10).psi < 0.01, "each pair of neighbours holds the same"
    assert distance([95, 5], [5, 95], ordered=False).psi > 3


def test_kolmogorov_is_scipys() -> None:
    random = np.random.default_rng(11)
    for shift in (0.0, 0.1, 0.3):
        one, other = random.integers(0, 24, 400), np.clip(random.integers(0, 24, 700) + shift * 24, 0, 23).astype(int)
        found = distance(np.bincount(one, minlength=24).tolist(), np.bincount(other, minlength=24).tolist())
        known = stats.ks_2samp(one, other, method="asymp")
        assert found.ks == pytest.approx(known.statistic)
        assert found.ks_p == pytest.approx(known.pvalue, rel=0.25, abs=0.02)


def test_noise_is_what_chance_reaches_once_in_a_thousand() -> None:
    random = np.random.default_rng(3)
    shares = np.full(10, 0.1)
    pairs = [(random.multinomial(500, shares).tolist(), random.multinomial(150, shares).tolist()) for _ in range(3000)]
    found = [distance(one, other, ordered=False) for one, other in pairs]
    beyond = sum(one.psi >= one.noise for one in found)
    assert 0 <= beyond <= 12
    assert np.mean([one.psi for one in found]) == pytest.approx(9 * (1 / 500 + 1 / 150), rel=0.1)


@pytest.mark.parametrize(("reference", "now"), [([], []), ([1], [1, 2]), ([0, 0], [1, 2]), ([1, 2], [0, 0])])
def test_nothing_cannot_be_compared(reference: list[int], now: list[int]) -> None:
    with pytest.raises(ValueError, match="same bins"):
        distance(reference, now)


@pytest.mark.parametrize(
    ("now", "referred", "standing"),
    [
        ([500, 500], 1000, "alike"),
        ([640, 360], 1000, "alike"),
        ([700, 300], 1000, "watch"),
        ([900, 100], 1000, "drifted"),
        ([90, 9], 1000, "not_enough_evidence"),
        ([900, 100], 99, "not_enough_evidence"),
    ],
)
def test_a_measure_is_judged_by_the_limits(now: list[int], referred: int, standing: str) -> None:
    assert judge("probability", [500, 500], referred, now, LIMITS).standing == standing


def test_few_results_do_not_drift_by_chance() -> None:
    few = Limits(raised=0.25, cleared=0.1, results=10, reference=10)
    assert judge("probability", [5, 5], 10, [2, 8], few).standing == "watch"
    assert judge("probability", [500, 500], 1000, [200, 800], few).standing == "drifted"
