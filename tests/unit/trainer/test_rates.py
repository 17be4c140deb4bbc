"""Rates, predictive values, the line of calibration and conformal sets, against numbers known beforehand."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef

from services.trainer import conformal, rates
from shared.detail import lines
from shared.schemas import Detail

pytestmark = pytest.mark.trainer

SEED = 7


def _data(rows: int = 2000, apart: float = 1.5) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Targets, log-odds that are right by construction (two Gaussians `apart` apart), a patient each."""
    generator = np.random.default_rng(SEED)
    targets = np.arange(rows) % 2
    scores = apart * (generator.normal(size=rows) + apart * targets - apart / 2)
    return targets.astype(np.int64), scores, [str(row) for row in range(rows)]


def test_rates_at_fixed_rates_are_the_curves() -> None:
    targets, scores = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]), np.array([0, 1, 2, 3, 9, 4, 5, 6, 7, 8.0])
    patients = [str(row) for row in range(10)]
    found = {(rate.rate, rate.at): rate.value.value for rate in rates.fixed(targets, scores, patients, SEED)}
    assert found == {("sensitivity", 0.9): 0, ("specificity", 0.9): 0.8, ("sensitivity", 0.95): 0,
                     ("specificity", 0.95): 0.8}  # fmt: skip
    tied = rates.fixed(targets, np.zeros(10), patients, SEED)
    assert {rate.value.value for rate in tied} == {0.0}


def test_predictive_values_are_bayes() -> None:
    ppv, npv = rates.values(0.9, 0.8, 0.05)
    assert ppv == pytest.approx(0.045 / (0.045 + 0.19))
    assert npv == pytest.approx(0.76 / (0.76 + 0.005))
    assert rates.values(0.0, 1.0, 0.05) == (0.0, 0.95)
    targets, scores, patients = _data()
    found = rates.predictive(targets, scores > 0, patients, SEED, 0.5)
    assert found.ppv.low < np.mean(targets[scores > 0]) < found.ppv.high


def test_mcc_is_scikit_learns() -> None:
    targets, scores, _ = _data()
    flagged = (scores > 0.5).astype(np.float64)
    assert rates.mcc(targets, flagged, np.ones(len(targets))) == pytest.approx(matthews_corrcoef(targets, flagged))
    assert rates.mcc(targets, np.zeros(len(targets)), np.ones(len(targets))) == 0.0


@pytest.mark.parametrize(("stretch", "shift"), [(1.0, 0.0), (2.0, 0.0), (1.0, 1.0)])
def test_the_line_of_calibration_is_a_logistic_regression(stretch: float, shift: float) -> None:
    targets, odds, patients = _data()
    said = odds * stretch + shift
    expected = LogisticRegression(C=1e9).fit(said[:, None], targets)
    slope, intercept = rates.line(targets, 1 / (1 + np.exp(-said)), patients, SEED)
    assert slope.value == pytest.approx(expected.coef_[0, 0], abs=0.01)
    assert intercept.value == pytest.approx(expected.intercept_[0], abs=0.01)
    assert slope.low < slope.value < slope.high
    assert slope.low < 1 / stretch < slope.high


def test_hopeless_probabilities_end_too() -> None:
    targets, patients = np.array([0, 1] * 10), [str(row) for row in range(20)]
    for probabilities in (1.0 - targets, targets * 1.0, np.full(20, 0.5)):
        slope, _ = rates.line(targets, probabilities, patients, SEED)
        assert np.isfinite([slope.value, slope.low, slope.high]).all()


def test_conformal_sets_cover_and_refer() -> None:
    targets, odds, _ = _data(4000)
    places = [np.arange(fold, 4000, 5) for fold in range(5)]
    probabilities = 1 / (1 + np.exp(-odds))
    found = conformal.measure(targets, probabilities, places, ["here"] * 4000)
    assert found
    assert found.alpha == 0.05
    for group in found.groups:
        assert group.covered.value == pytest.approx(0.95, abs=0.02)
        assert 0 < group.undecided.value < 0.6
    alone = conformal.measure(targets, targets * 0.98 + 0.01, places, ["here"] * 4000)
    assert alone
    assert alone.size == 1.0


@pytest.mark.parametrize(("rows", "alpha"), [(16, None), (26, 0.10), (60, 0.05)])
def test_few_rows_promise_less_or_nothing(rows: int, alpha: float | None) -> None:
    targets = np.arange(rows) % 2
    places = [np.arange(fold, rows, 5) for fold in range(5)]
    found = conformal.measure(targets, np.linspace(0.1, 0.9, rows), places, ["here"] * rows)
    assert (found.alpha if found else None) == alpha


def test_all_of_it_has_words() -> None:
    targets, odds, patients = _data(200)
    probabilities = 1 / (1 + np.exp(-odds))
    slope, intercept = rates.line(targets, probabilities, patients, SEED)
    detail = Detail(
        fixed=rates.fixed(targets, odds, patients, SEED),
        mcc=slope,
        predictive=[rates.predictive(targets, odds > 0, patients, SEED, 0.05)],
        calibration_slope=slope,
        calibration_intercept=intercept,
        contradicted=slope,
        conformal=conformal.measure(targets, probabilities, [np.arange(100), np.arange(100, 200)], ["here"] * 200),
    )
    said = lines(detail)
    assert len(said) == 4 + 2 + 4 + 1 + 3
    assert not any("{" in word or word.startswith("page.") for line in said for word in line)
