"""Class-conditional conformal sets (Mondrian; Vovk 2012): which answers cannot be ruled out at a stated error rate.

They hold for people like those of the data (exchangeability); another device or hospital breaks the promise.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.trainer.folds import Places
from services.trainer.metrics import Floats, Labels, wilson
from shared.schemas import Conformal, Coverage

_LEVELS = ((0.05, 19), (0.10, 9))  # a class of n rows gives sets at 1 / alpha - 1 <= n
Bounds = tuple[float, float]


def measure(
    targets: Labels, probabilities: Floats, places: Sequence[Places], sources: Sequence[str]
) -> Conformal | None:
    """Bounds from all rows; coverage and undecided share out of fold, by class and by source.

    None where a class has fewer than nine rows outside some fold.
    """
    alpha = _level(targets, places)
    if alpha is None:
        return None
    lower, upper = bounds(targets, probabilities, alpha)
    sets = _out_of_fold(targets, probabilities, places, alpha)
    named = {"without the finding": targets == 0, "with the finding": targets == 1}
    named |= {name: np.asarray(sources) == name for name in sorted(set(sources))}
    groups = [_coverage(name, targets[rows], sets[rows]) for name, rows in named.items()]
    return Conformal(alpha=alpha, lower=lower, upper=upper, size=float(sets.sum(axis=1).mean()), groups=groups)


def bounds(targets: Labels, probabilities: Floats, alpha: float) -> Bounds:
    """(lower, upper): "with" cannot be ruled out from `lower` on, "without" not up to `upper`."""
    lower = 1 - _quantile(1 - probabilities[targets == 1], alpha)
    return float(np.clip(lower, 0, 1)), float(np.clip(_quantile(probabilities[targets == 0], alpha), 0, 1))


def _quantile(strangeness: Floats, alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest; with it a new row of the class is covered in 1 - alpha or more."""
    rank = int(np.ceil((len(strangeness) + 1) * (1 - alpha) - 1e-9))
    return float(np.sort(strangeness)[rank - 1])


def _level(targets: Labels, places: Sequence[Places]) -> float | None:
    """The strictest error rate for which every fold's other rows suffice."""
    left = [np.bincount(np.delete(targets, held_out), minlength=2).min() for held_out in places]
    return next((alpha for alpha, least in _LEVELS if min(left) >= least), None)


def _out_of_fold(targets: Labels, probabilities: Floats, places: Sequence[Places], alpha: float) -> NDArray[np.bool_]:
    """(n, 2): whether the set holds "without" and "with", bounds from the other folds."""
    sets = np.zeros((len(targets), 2), dtype=bool)
    for held_out in places:
        lower, upper = bounds(np.delete(targets, held_out), np.delete(probabilities, held_out), alpha)
        sets[held_out, 0] = probabilities[held_out] <= upper
        sets[held_out, 1] = probabilities[held_out] >= lower
    return sets


def _coverage(name: str, targets: Labels, sets: NDArray[np.bool_]) -> Coverage:
    covered = sets[np.arange(len(targets)), targets]
    undecided = sets[:, 0] == sets[:, 1]
    count = len(targets)
    return Coverage(
        group=name, n=count, covered=wilson(int(covered.sum()), count), undecided=wilson(int(undecided.sum()), count)
    )
