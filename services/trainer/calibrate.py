"""Calibration and threshold from out-of-fold scores; and the same fitted crosswise, so that no figure is flattered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from shared.errors import VersionInvalid
from shared.schemas import Calibration

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
_DECIMALS = 4


@dataclass(frozen=True)
class Crossed:
    """Probability and answer of every row, calibration and threshold taken from the other folds."""

    probabilities: Floats
    flagged: NDArray[np.bool_]


def sigmoid(targets: Labels, scores: Floats) -> Calibration:
    """Platt's sigmoid (1999), targets smoothed. Raises VersionInvalid when a higher score means less finding."""
    positives = int(targets.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(targets) - positives + 2)
    shares = np.where(targets == 1, high, low)
    both = np.concatenate([np.ones(len(targets)), np.zeros(len(targets))])
    weights = np.concatenate([shares, 1 - shares])
    fitted = LogisticRegression(C=1e6).fit(np.tile(scores, 2)[:, None], both, sample_weight=weights)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        raise VersionInvalid(
            "nothing_learnt", detail="Out of fold a higher score does not mean the finding: nothing was learnt."
        )
    prevalence = positives / len(targets)
    return Calibration(method="sigmoid", slope=slope, intercept=float(fitted.intercept_[0]), prevalence=prevalence)


def apply(calibration: Calibration, scores: Floats) -> Floats:
    """Probabilities of scores (n,)."""
    probabilities: Floats = 1 / (1 + np.exp(-(calibration.slope * scores + calibration.intercept)))
    return probabilities


def threshold(targets: Labels, probabilities: Floats, sensitivity: float) -> float:
    """The highest threshold, cut to four decimals, at which this share of the positives or more is flagged."""
    positives = np.sort(probabilities[targets == 1])
    missed = int(np.floor((1 - sensitivity) * len(positives) + 1e-9))
    return float(np.floor(positives[missed] * 10**_DECIMALS) / 10**_DECIMALS)


def crossed(targets: Labels, scores: Floats, places: list[NDArray[np.int64]], sensitivity: float) -> Crossed:
    """Answers for the rows of each fold (`places`) by calibration and threshold of all other folds."""
    probabilities, flagged = np.zeros(len(scores)), np.zeros(len(scores), dtype=bool)
    for held_out in places:
        others = np.setdiff1d(np.arange(len(scores)), held_out)
        calibration = sigmoid(targets[others], scores[others])
        limit = threshold(targets[others], apply(calibration, scores[others]), sensitivity)
        probabilities[held_out] = apply(calibration, scores[held_out])
        flagged[held_out] = probabilities[held_out] >= limit
    return Crossed(probabilities, flagged)
