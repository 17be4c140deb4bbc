"""How well scores rank and how far probabilities can be believed: ROC, PR, calibration, decision, risk-coverage."""

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from services.trainer.figures.canvas import (
    COLOURS,
    DASHES,
    QUIET,
    WITH,
    WITHOUT,
    Floats,
    Labels,
    label,
    legend_below,
    page,
    unit_square,
)
from services.trainer.metrics import auprc, auroc, wilson

Scored = Mapping[str, tuple[Labels, Floats]]
_BINS = 10
_TWENTIETHS = [place / 20 for place in range(21)]
_ODDS = np.linspace(0.01, 0.8, 80)


def roc(named: Scored) -> str:
    """ROC curves (Fawcett 2006) of named (targets (n,), scores (n,)); sets with one class are left out."""
    areas = {name: auroc(*pair) for name, pair in named.items() if _both(pair[0])}
    says = "ROC curves. Area under the curve: " + _listed(areas)
    with page(says, size=(5.4, 5.6)) as made:
        axes = made.at()
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":", label="chance")
        for place, (name, area) in enumerate(areas.items()):
            x, y, _ = roc_curve(*named[name])
            axes.plot(x, y, color=COLOURS[place], linestyle=DASHES[place], label=f"{name} ({area:.2f})")
        unit_square(axes)
        label(axes, x="1 − specificity (false alarms)", y="sensitivity")
        legend_below(axes, 1)
    return made.svg()


def precision_recall(named: Scored) -> str:
    """Precision-recall curves of named (targets, scores), each with its share of positives as the baseline."""
    areas = {name: auprc(*pair) for name, pair in named.items() if _both(pair[0])}
    says = "Precision-recall curves. Average precision: " + _listed(areas)
    with page(says, size=(5.4, 5.6)) as made:
        axes = made.at()
        for place, (name, area) in enumerate(areas.items()):
            precision, recall, _ = precision_recall_curve(*named[name])
            share = float(named[name][0].mean())
            text = f"{name} ({area:.2f}; chance {share:.2f})"
            axes.step(recall, precision, where="post", color=COLOURS[place], linestyle=DASHES[place], label=text)
            axes.axhline(share, color=COLOURS[place], linewidth=1, linestyle=":")
        unit_square(axes)
        label(axes, x="recall (sensitivity)", y="precision")
        legend_below(axes, 1)
    return made.svg()


def calibration(targets: Labels, probabilities: Floats, bins: int = _BINS) -> str:
    """Reliability over bins of equal mass with Wilson intervals, and below it where the probabilities lie."""
    groups = [part for part in np.array_split(np.argsort(probabilities, kind="stable"), bins) if len(part)]
    rates = [wilson(int(targets[part].sum()), len(part)) for part in groups]
    means = [float(probabilities[part].mean()) for part in groups]
    says = "Calibration, predicted against observed: " + _listed(
        {f"{mean:.2f}": rate.value for mean, rate in zip(means, rates, strict=True)}
    )
    with page(says, 2, 1, (5.4, 6)) as made:
        axes = made.at(0)
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":", label="what it should be")
        spans = np.array([[max(0.0, r.value - r.low), max(0.0, r.high - r.value)] for r in rates]).T
        values = [rate.value for rate in rates]
        axes.errorbar(means, values, spans, color=WITHOUT, marker="o", capsize=3, label="observed, 95 % interval")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        label(axes, y="share with the finding")
        axes.legend(loc="upper left")
        below = made.at(1)
        parts = [probabilities[targets == 0], probabilities[targets == 1]]
        below.hist(parts, _TWENTIETHS, color=[WITHOUT, WITH], label=["without finding", "with finding"])
        below.set_xlim(-0.02, 1.02)
        label(below, x="predicted probability", y="inputs")
        below.legend()
    return made.svg()


def decision_curve(targets: Labels, probabilities: Floats) -> str:
    """Net benefit (Vickers and Elkin 2006) of flagging by the model, of flagging everybody, and of flagging nobody."""
    share = float(targets.mean())
    model = np.array([_net_benefit(targets, probabilities >= t, t) for t in _ODDS])
    everybody = share - (1 - share) * _ODDS / (1 - _ODDS)
    better = _ODDS[model > np.maximum(everybody, 0) + 1e-9]
    span = f"from {better.min():.2f} to {better.max():.2f}" if len(better) else "nowhere"
    with page(f"Decision curve. The model is worth more than flagging everybody or nobody {span}.") as made:
        axes = made.at()
        axes.plot(_ODDS, everybody, color=WITH, linestyle="--", label="flag everybody")
        axes.axhline(0, color=QUIET, linestyle=":", label="flag nobody")
        axes.plot(_ODDS, model, color=WITHOUT, label="flag by the model")
        axes.set_ylim(-0.05, max(0.05, 1.1 * share, 1.1 * float(model.max())))
        label(axes, x="probability from which a person would act", y="net benefit")
        axes.legend()
    return made.svg()


def risk_coverage(targets: Labels, probabilities: Floats, threshold: float) -> str:
    """Share of wrong answers among the kept inputs, the least certain (nearest to the threshold) left out first."""
    order = np.argsort(-np.abs(_logit(probabilities) - _logit(np.array(threshold))), kind="stable")
    wrong = ((probabilities >= threshold) != (targets == 1))[order]
    kept = np.arange(1, len(wrong) + 1)
    risk = np.cumsum(wrong) / kept
    says = f"Risk and coverage. All inputs answered: {risk[-1]:.2f} wrong; half of them: {risk[len(risk) // 2]:.2f}."
    with page(says) as made:
        axes = made.at()
        axes.plot(kept / len(wrong), risk, color=WITHOUT, label="least certain left to a person")
        axes.axhline(risk[-1], color=QUIET, linestyle=":", label="every input answered")
        axes.set(xlim=(0, 1.02), ylim=(0, max(0.05, 1.15 * float(risk[len(risk) // 20 :].max()))))
        label(axes, x="share of inputs that is answered", y="share of answers that is wrong")
        axes.legend()
    return made.svg()


def _net_benefit(targets: Labels, flagged: np.ndarray, odds: float) -> float:
    hits, alarms = float((flagged & (targets == 1)).mean()), float((flagged & (targets == 0)).mean())
    return hits - alarms * odds / (1 - odds)


def _logit(probabilities: Floats) -> Floats:
    safe = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return np.asarray(np.log(safe / (1 - safe)))


def _both(targets: Labels) -> bool:
    return 0 < int(targets.sum()) < len(targets)


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in values.items()) + "."
