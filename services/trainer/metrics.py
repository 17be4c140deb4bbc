"""Figures with intervals. Rates get Wilson intervals; ranks get a bootstrap over patients, never over rows."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from shared.schemas import Interval

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
_Z = 1.959964  # 95 %
_BINS = 10


def auroc(targets: Labels, scores: Floats, weights: Floats | None = None) -> float:
    """Area under the ROC curve, ties by half; `weights` (n,) count rows more than once. Needs both classes."""
    counts = np.ones(len(targets)) if weights is None else weights
    _, rank = np.unique(scores, return_inverse=True)
    positives = np.bincount(rank, counts * targets)
    negatives = np.bincount(rank, counts * (1 - targets))
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / (positives.sum() * negatives.sum()))


def auprc(targets: Labels, scores: Floats, weights: Floats | None = None) -> float:
    """Average precision; its baseline is the share of positives."""
    return float(average_precision_score(targets, scores, sample_weight=weights))


def wilson(hits: int, n: int) -> Interval:
    """A rate with Wilson's 95 % interval (1927); n > 0."""
    rate = hits / n
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * np.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return Interval(value=rate, low=max(0.0, float(centre - half)), high=min(1.0, float(centre + half)))


def bootstrap(
    statistic: Callable[[Labels, Floats, Floats], float],
    targets: Labels,
    scores: Floats,
    patients: Sequence[str],
    seed: int,
    draws: int = 1000,
) -> Interval:
    """Percentile interval (95 %) over resampled patients, those with and without a positive row drawn apart."""
    generator = np.random.default_rng(seed)
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    sick = np.bincount(owner, targets) > 0
    values = []
    for _ in range(draws):
        counts = np.zeros(len(names))
        for group in (np.flatnonzero(sick), np.flatnonzero(~sick)):
            counts[group] = np.bincount(generator.integers(len(group), size=len(group)), minlength=len(group))
        weights = counts[owner]
        if 0 < weights @ targets < weights.sum():
            values.append(statistic(targets, scores, weights))
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(value=statistic(targets, scores, np.ones(len(targets))), low=float(low), high=float(high))


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
