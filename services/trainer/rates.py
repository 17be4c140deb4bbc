"""What a reviewer asks for beside the areas: rates at fixed rates, predictive values, MCC, the line of calibration."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.trainer.metrics import Floats, Labels, auroc, bootstrap, wilson
from services.trainer.prepared import Examples
from shared.schemas import FixedRate, Interval, PartFigures, PredictiveValues

LEVELS = (0.90, 0.95)
_DRAWS = 300
_STEPS = 30  # of Newton's method, each at most one half: draws that are separable or saturated end too


def both(targets: Labels, flagged: NDArray[np.bool_]) -> tuple[Interval | None, Interval | None]:
    """Sensitivity and specificity of answers (n,), with Wilson's intervals; None without rows of the class."""
    sick, well = targets == 1, targets == 0
    sensitivity = wilson(int(flagged[sick].sum()), int(sick.sum())) if sick.any() else None
    specificity = wilson(int((~flagged[well]).sum()), int(well.sum())) if well.any() else None
    return sensitivity, specificity


def part(examples: Examples, scores: Floats, flagged: NDArray[np.bool_], seed: int, draws: int = 1000) -> PartFigures:
    """Figures on a part of the data, by its scores and answers (n,); the area's interval from `draws` resamplings."""
    sensitivity, specificity = both(examples.targets, flagged)
    area = None
    if sensitivity and specificity:
        area = bootstrap(auroc, examples.targets, scores, examples.patients, seed, draws)
    return PartFigures(
        n=len(examples),
        patients=len(set(examples.patients)),
        positives=int(examples.targets.sum()),
        auroc=area,
        sensitivity=sensitivity,
        specificity=specificity,
    )


def fixed(targets: Labels, scores: Floats, patients: Sequence[str], seed: int) -> list[FixedRate]:
    """Sensitivity at a specificity of 0.90 and 0.95 or more, and the reverse, read off the pooled ROC curve (n,)."""
    found = []
    for level in LEVELS:

        def caught(t: Labels, s: Floats, w: Floats, level: float = level) -> float:
            return _best(t == 1, s, w, level)

        def passed(t: Labels, s: Floats, w: Floats, level: float = level) -> float:
            return _best(t == 0, -s, w, level)

        sensitivity = bootstrap(caught, targets, scores, patients, seed, _DRAWS)
        specificity = bootstrap(passed, targets, scores, patients, seed, _DRAWS)
        found.append(FixedRate(rate="sensitivity", at=level, value=sensitivity))
        found.append(FixedRate(rate="specificity", at=level, value=specificity))
    return found


def _best(wanted: NDArray[np.bool_], scores: Floats, weights: Floats, level: float) -> float:
    """The largest share of wanted rows at or above a limit that keeps `level` or more of the others below it."""
    order = np.argsort(-scores, kind="stable")
    kept, hits = scores[order], np.cumsum((weights * wanted)[order])
    alarms = np.cumsum((weights * ~wanted)[order])
    ends = np.append(kept[1:] != kept[:-1], True)  # equal scores share a limit
    allowed = ends & (alarms <= (1 - level) * alarms[-1] + 1e-9)
    return float(hits[allowed].max() / hits[-1]) if allowed.any() else 0.0


def mcc(targets: Labels, flagged: Floats, weights: Floats) -> float:
    """Matthews' correlation of answers (1 or 0) and targets; 0 when only one answer is given."""
    tp, fp, tn, fn = _table(targets, flagged, weights)
    bottom = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return float((tp * tn - fp * fn) / bottom) if bottom else 0.0


def predictive(
    targets: Labels, flagged: NDArray[np.bool_], patients: Sequence[str], seed: int, prevalence: float
) -> PredictiveValues:
    """PPV and NPV at an assumed prevalence, with intervals over resampled patients."""
    answers = flagged.astype(np.float64)

    def positive(t: Labels, a: Floats, w: Floats) -> float:
        return values(*_pair(t, a, w), prevalence)[0]

    def negative(t: Labels, a: Floats, w: Floats) -> float:
        return values(*_pair(t, a, w), prevalence)[1]

    parts = (bootstrap(part, targets, answers, patients, seed, _DRAWS) for part in (positive, negative))
    ppv, npv = parts
    return PredictiveValues(prevalence=prevalence, ppv=ppv, npv=npv)


def values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """(PPV, NPV) by Bayes' rule; an answer that is never given has no value: 0."""
    hits, alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    calm, misses = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return hits / (hits + alarms) if hits + alarms else 0.0, calm / (calm + misses) if calm + misses else 0.0


def line(targets: Labels, probabilities: Floats, patients: Sequence[str], seed: int) -> tuple[Interval, Interval]:
    """Slope and intercept of the logistic regression of the target on the probability's log-odds (Cox 1958)."""
    safe = np.clip(probabilities, 1e-6, 1 - 1e-6)
    odds = np.log(safe / (1 - safe))
    slope = bootstrap(lambda t, s, w: _line(t, s, w)[1], targets, odds, patients, seed, _DRAWS)
    intercept = bootstrap(lambda t, s, w: _line(t, s, w)[0], targets, odds, patients, seed, _DRAWS)
    return slope, intercept


def _line(targets: Labels, odds: Floats, weights: Floats) -> Floats:
    """Newton's method with a trace of ridge, so that separable draws end as well."""
    columns, found = np.stack([np.ones(len(odds)), odds], axis=1), np.array([0.0, 1.0])
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(columns @ found, -30, 30)))
        slope = columns.T @ (weights * (targets - chances)) - 1e-3 * (found - [0.0, 1.0])
        bend = (columns * (weights * chances * (1 - chances))[:, None]).T @ columns + 1e-3 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        found = found + np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(found)


def _pair(targets: Labels, flagged: Floats, weights: Floats) -> tuple[float, float]:
    tp, fp, tn, fn = _table(targets, flagged, weights)
    return tp / (tp + fn), tn / (tn + fp)


def _table(targets: Labels, flagged: Floats, weights: Floats) -> tuple[float, float, float, float]:
    """(tp, fp, tn, fn) in weight."""
    sick, said = targets == 1, flagged > 0.5
    parts = (sick & said, ~sick & said, ~sick & ~said, sick & ~said)
    tp, fp, tn, fn = (float(weights[part].sum()) for part in parts)
    return tp, fp, tn, fn
