"""Figures with intervals. Rates get Wilson intervals; ranks get a bootstrap over patients, never over rows."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from shared.schemas import Interval

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
_Z = 1.959964  # 95 %
_BINS = 10


def auroc(targets: Labels, scores: Floats) -> float:
    """Area under the ROC curve by mid-ranks (Mann and Whitney); needs both classes."""
    positives = int(targets.sum())
    negatives = len(targets) - positives
    ranks = float(rankdata(scores)[targets == 1].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def auprc(targets: Labels, scores: Floats) -> float:
    """Average precision; its baseline is the share of positives."""
    return float(average_precision_score(targets, scores))


def wilson(hits: int, n: int) -> Interval:
    """A rate with Wilson's 95 % interval (1927); n > 0."""
    rate = hits / n
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * np.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return Interval(value=rate, low=max(0.0, float(centre - half)), high=min(1.0, float(centre + half)))


def bootstrap(
    statistic: Callable[[Labels, Floats], float],
    targets: Labels,
    scores: Floats,
    patients: Sequence[str],
    seed: int,
    draws: int = 1000,
) -> Interval:
    """Percentile interval (95 %) over resampled patients, those with and without a positive row drawn apart."""
    generator = np.random.default_rng(seed)
    strata = _patients(targets, patients)
    values = []
    for _ in range(draws):
        drawn = [group[i] for group in strata for i in generator.integers(len(group), size=len(group))]
        places = np.concatenate(drawn)
        if 0 < targets[places].sum() < len(places):
            values.append(statistic(targets[places], scores[places]))
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(value=statistic(targets, scores), low=float(low), high=float(high))


def calibration_error(targets: Labels, probabilities: Floats) -> float:
    """Expected calibration error over ten bins of equal mass."""
    order = np.argsort(probabilities, kind="stable")
    bins = [places for places in np.array_split(order, _BINS) if len(places)]
    gaps = [abs(probabilities[places].mean() - targets[places].mean()) * len(places) for places in bins]
    return float(sum(gaps) / len(targets))


def log_loss(targets: Labels, probabilities: Floats) -> float:
    """Mean negative log likelihood, natural logarithm."""
    safe = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(targets == 1, np.log(safe), np.log(1 - safe))))


def brier(targets: Labels, probabilities: Floats) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((probabilities - targets) ** 2))


def _patients(targets: Labels, patients: Sequence[str]) -> list[list[NDArray[np.int64]]]:
    """Rows of each patient, in two lists: patients with a positive row, and the others."""
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    rows = [np.flatnonzero(owner == i) for i in range(len(names))]
    sick = [group for group in rows if targets[group].any()]
    return [sick, [group for group in rows if not targets[group].any()]]
