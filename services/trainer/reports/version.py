"""The report on a published version over a labelled folder."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.trainer.appraisal import Appraisal, Figures
from services.trainer.appraise import Answers
from services.trainer.figures import curves, training
from services.trainer.figures.forest import Line, forest
from services.trainer.figures.matrices import Counts, matrices
from services.trainer.figures.training import EpochLike
from services.trainer.reports.page import ABSENT, Shown, render, spread
from services.trainer.subgroups import Subgroup
from shared import detail
from shared.schemas import Card, Interval

_COLUMNS = ("Source", "Inputs", "Patients", "With finding", "AUROC", "AUPRC", "Sensitivity", "Specificity", "Brier",
            "Log loss", "Calibration error", "Referred")  # fmt: skip
_CARD_COLUMNS = ("Source", "Inputs", "Patients", "With finding", "AUROC", "Sensitivity", "Specificity")
_GROUP_COLUMNS = ("Group", "Inputs", "Patients", "With finding", "AUROC", "Sensitivity", "Specificity")
_MOST_CURVES = 4


def version_report(
    card: Card, found: Appraisal, answers: Answers, history: Mapping[str, Sequence[EpochLike]] | None = None
) -> str:
    """HTML: warnings first, figures per source beside the card's, answers, curves, limits."""
    return render(
        "version.html",
        f"{card.recipe}, version {card.name}, on a labelled folder",
        found=found,
        card=card,
        finding=card.finding.replace("_", " "),
        rejected=_rejected(found),
        forest=_forest(card, found),
        columns=_COLUMNS,
        rows=[_row(figures) for figures in (found.overall, *found.per_source)],
        predictive=[(f"{v.prevalence:.1%}", f"{100 * v.ppv:.0f}", f"{100 * v.npv:.1f}") for v in found.predictive],
        detail=[*_baselines(found), *detail.lines(found.detail)],
        subgroup_columns=_GROUP_COLUMNS,
        subgroups=[_group(group) for group in found.subgroups],
        matrices=_matrices(card, found.overall),
        pictures=_curves(found, answers),
        training=training_figures(history or {}),
        card_columns=_CARD_COLUMNS,
        card_rows=_card_rows(card),
        card_detail=detail.lines(card.metrics.detail) if card.metrics.detail else [],
    )


def training_figures(history: Mapping[str, Sequence[EpochLike]]) -> list[Shown]:
    """Loss, accuracy and the four counts per epoch; nothing when no history was kept."""
    if not history:
        return []
    last = list(history)[-1]
    caption = "Counted on the training draws, augmented and balanced: no evidence of what the version can do."
    return [
        Shown("Loss and accuracy per epoch", caption, training.loss_and_accuracy(history)),
        Shown("TP, FP, TN, FN per epoch", caption, training.counts(last, history[last])),
    ]


def _rejected(found: Appraisal) -> str:
    count = sum(found.rejected.values())
    why = ", ".join(f"{code} {number}" for code, number in sorted(found.rejected.items()))
    return f"{count} more files were rejected ({why})." if count else "No file was rejected."


def _forest(card: Card, found: Appraisal) -> Shown:
    lines = [
        Line("all sources", found.overall.auroc, note=f"(n = {found.overall.n})"),
        *(Line(figures.source, figures.auroc, note=f"(n = {figures.n})") for figures in found.per_source),
        Line("all sources", card.metrics.auroc, "card"),
        *(Line(figures.source, figures.auroc, "card") for figures in card.metrics.per_source),
        *(Line(control.name, control.auroc, "control") for control in found.controls),
    ]
    caption = "Each source by itself says more than all together. Where a shortcut control (triangle) reaches the "
    caption += "model’s interval, the model’s figure is no evidence of disease."
    return Shown("AUROC by source, beside the card and the controls", caption, forest(lines))


def _row(figures: Figures) -> list[object]:
    numbers = [figures.n, figures.patients, figures.positives]
    areas = [_two_lines(i) for i in (figures.auroc, figures.auprc, figures.sensitivity, figures.specificity)]
    errors = [f"{value:.3f}" for value in (figures.brier, figures.log_loss, figures.calibration_error)]
    return [figures.source, *numbers, *areas, *errors, figures.referred]


def _baselines(found: Appraisal) -> list[tuple[str, str]]:
    """What the figures above are worth: beside the constant answers."""
    base, overall = found.baseline, found.overall
    balanced = ABSENT if overall.balanced_accuracy is None else f"{overall.balanced_accuracy:.2f}"
    skill = 1 - overall.brier / base.brier
    return [
        ("Balanced accuracy (0.50 is any constant answer)", balanced),
        ("Accuracy of the more frequent answer alone", f"{base.accuracy:.2f}"),
        ("AUPRC of chance, the share with the finding", f"{base.auprc:.2f}"),
        (
            "Brier score of that share as every probability",
            f"{base.brier:.3f}; the version's skill over it {skill:+.0%}",
        ),
        ("Its log loss", f"{base.log_loss:.3f}"),
    ]


def _group(group: Subgroup) -> list[object]:
    rates = [_two_lines(i) for i in (group.auroc, group.sensitivity, group.specificity)]
    return [f"{group.name}: {group.value}", group.n, group.patients, group.positives, *rates]


def _card_rows(card: Card) -> list[list[object]]:
    point, data = card.operating_point, card.data
    total: list[object] = ["all sources", data.n, data.patients, data.positives]
    total += [_two_lines(i) for i in (card.metrics.auroc, point.sensitivity, point.specificity)]
    return [total, *([f.source, f.n, f.patients, f.positives, *map(_two_lines, (f.auroc, f.sensitivity, f.specificity))]
                     for f in card.metrics.per_source)]  # fmt: skip


def _two_lines(interval: Interval | None) -> str:
    """For a narrow column: the figure above its interval."""
    return spread(interval).replace(" ", "\n", 1)


def _matrices(card: Card, overall: Figures) -> Shown:
    hits, alarms, negatives = overall.flagged_positives, overall.flagged_negatives, overall.n - overall.positives
    counts = Counts(tp=hits, fp=alarms, tn=negatives - alarms, fn=overall.positives - hits)
    caption = f"At the threshold {card.threshold:.2f}, every input that could be read. Missed ones are lower left."
    svg = matrices(counts, card.labels.present, card.labels.absent)
    return Shown("Confusion, precision and recall", caption, svg)


def _curves(found: Appraisal, answers: Answers) -> list[Shown]:
    targets, chances, named = answers.targets, answers.probabilities, _named(found, answers)
    return [
        Shown("ROC", "A curve per source with both classes; the further from the diagonal the better.",
              curves.roc(named)),
        Shown("Precision and recall", "Dotted: what chance reaches, which is the share of positives.",
              curves.precision_recall(named)),
        Shown("Calibration", "Ten bins of equal size. On the diagonal, a probability can be taken at its word.",
              curves.calibration(targets, chances)),
        Shown("Decision curve", "Where the solid line is not the highest, the version is of no use at that threshold.",
              curves.decision_curve(targets, chances)),
        Shown("Risk and coverage", "How many answers are wrong when the least certain are left to a person.",
              curves.risk_coverage(targets, chances, found.threshold)),
    ]  # fmt: skip


def _named(found: Appraisal, answers: Answers) -> curves.Scored:
    sources = np.asarray(answers.examples.sources)
    named = {"all sources": (answers.targets, answers.probabilities)}
    for figures in found.per_source[:_MOST_CURVES]:
        here = sources == figures.source
        named[figures.source] = (answers.targets[here], answers.probabilities[here])
    return named if len(found.per_source) > 1 else {"all sources": named["all sources"]}
