"""A published version on a labelled folder: run as a worker runs it, judged as the trainer judges.

Inputs are read by the card's pipeline, scored by the card's runtime, decided by `shared.decide`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer import controls, datasets, metrics, prepared, rates, recipe, subgroups
from services.trainer.appraisal import Appraisal, Baseline, Figures, Values
from services.trainer.datasets import Dataset, Row
from services.trainer.folds import folds
from services.trainer.prepared import Examples
from shared import runtimes
from shared.decide import decide
from shared.errors import BadRequest, NotFound
from shared.registry import Artefact
from shared.schemas import Card, Control, Decision, Detail

Floats = NDArray[np.float64]
_GROUP = 32
_SEED = 7
_FOLDS = 5
PREVALENCES = (0.01, 0.1, 0.5)


@dataclass(frozen=True)
class Answers:
    """Targets, probabilities (n,), and whether the decision was to refer, of the rows that could be read."""

    examples: Examples
    probabilities: Floats
    referred: NDArray[np.bool_]
    model_ms: float

    @property
    def targets(self) -> NDArray[np.int64]:
        """1 with the finding, 0 without it."""
        return self.examples.targets


def appraise(
    artefact: Artefact,
    folder: Path,
    cache: Path,
    threads: int = 2,
    on_row: Callable[[int, int], None] | None = None,
    prevalences: Sequence[float] = PREVALENCES,
) -> tuple[Appraisal, Answers]:
    """Figures and the answers behind them; predictive values where such shares of people have the finding.

    Raises BadRequest (data, one class only) and VersionInvalid (version).
    """
    card, data = artefact.card, datasets.read(folder)
    examples = prepared.load(data, card.pipeline, _target(card), cache, on_row)
    if examples.targets.min() == examples.targets.max():
        raise BadRequest(detail="The folder holds one class of this version's labels only: nothing can be measured.")
    answers = answer(artefact, examples, threads)
    return _appraisal(artefact, data, answers, prevalences), answers


def answer(artefact: Artefact, examples: Examples, threads: int) -> Answers:
    """Run the version, a group at a time, and decide."""
    runtime, started = runtimes.load(artefact, threads), time.perf_counter()
    parts = [runtime.run(examples.inputs[at : at + _GROUP]) for at in range(0, len(examples), _GROUP)]
    spent = 1000 * (time.perf_counter() - started) / len(examples)
    scores, distances = (np.concatenate(part) for part in zip(*parts, strict=True))
    verdicts = [
        decide(artefact.card, float(score), float(distance), _facts(row, facts))
        for score, distance, row, facts in zip(scores, distances, examples.rows, examples.facts, strict=True)
    ]
    probabilities = np.array([verdict.probability for verdict in verdicts])
    referred = np.array([verdict.decision is Decision.REFER for verdict in verdicts])
    return Answers(examples, probabilities, referred, spent)


def _target(card: Card) -> Callable[[Row], int | None]:
    """The recipe's own reading of labels; for a recipe that is not installed the two words of the card."""
    try:
        return recipe.find(card.recipe).target
    except NotFound:
        words = {card.labels.present: 1, card.labels.absent: 0}
        return lambda row: words.get(row.label)


def _facts(row: Row, facts: prepared.Facts) -> prepared.Facts:
    """What the file says, and what the index adds about age and view."""
    said: dict[str, str | float] = {}
    if row.extra.get("view"):
        said["view"] = row.extra["view"]
    age = row.extra.get("age_years", "")
    if age.replace(".", "", 1).isdigit():
        said["age_years"] = float(age)
    return {**said, **facts}


def _appraisal(artefact: Artefact, data: Dataset, answers: Answers, prevalences: Sequence[float]) -> Appraisal:
    card, examples = artefact.card, answers.examples
    everything = np.arange(len(examples))
    overall = _figures("all sources", answers, everything, card.threshold)
    measured = _controls(card, examples)
    sources = np.asarray(examples.sources)
    return Appraisal(
        recipe=card.recipe,
        name=card.name,
        sha256=artefact.sha256,
        fingerprint=data.fingerprint,
        threshold=card.threshold,
        sentences=_sentences(card, data, overall, measured),
        rejected=examples.rejected,
        overall=overall,
        per_source=[
            _figures(name, answers, np.flatnonzero(sources == name), card.threshold) for name in sorted(set(sources))
        ],
        subgroups=subgroups.measure(examples, answers.probabilities, card.threshold, _SEED),
        baseline=_baseline(answers.targets),
        detail=_detail(answers, card.threshold),
        controls=measured,
        predictive=[_values(overall, prevalence) for prevalence in prevalences],
        read_ms=_read_ms(examples, card),
        model_ms=answers.model_ms,
    )


def _figures(name: str, answers: Answers, places: NDArray[np.int64], threshold: float) -> Figures:
    examples, chances = answers.examples.take(places), answers.probabilities[places]
    targets, flagged = examples.targets, chances >= threshold
    part = rates.part(examples, chances, flagged, _SEED, 400)
    sides = [side.value for side in (part.sensitivity, part.specificity) if side]
    both = len(sides) == 2
    # Its statistic takes ten times as long as the area's, so it gets fewer draws.
    auprc = metrics.bootstrap(metrics.auprc, targets, chances, examples.patients, _SEED, 150) if both else None
    return Figures(
        **dict(part),
        source=name,
        auprc=auprc,
        balanced_accuracy=sum(sides) / 2 if both else None,
        brier=metrics.brier(targets, chances),
        log_loss=metrics.log_loss(targets, chances),
        calibration_error=metrics.calibration_error(targets, chances),
        referred=int(answers.referred[places].sum()),
        flagged_positives=int(flagged[targets == 1].sum()),
        flagged_negatives=int(flagged[targets == 0].sum()),
    )


def _detail(answers: Answers, threshold: float) -> Detail:
    """As a card's further figures, but of this folder."""
    targets, chances, patients = answers.targets, answers.probabilities, answers.examples.patients
    flagged = (chances >= threshold).astype(np.float64)
    slope, intercept = rates.line(targets, chances, patients, _SEED)
    return Detail(
        fixed=rates.fixed(targets, chances, patients, _SEED),
        mcc=metrics.bootstrap(rates.mcc, targets, flagged, patients, _SEED, 300),
        predictive=[],
        calibration_slope=slope,
        calibration_intercept=intercept,
    )


def _baseline(targets: NDArray[np.int64]) -> Baseline:
    share = float(targets.mean())
    always = np.full(len(targets), share)
    return Baseline(
        accuracy=max(share, 1 - share),
        brier=metrics.brier(targets, always),
        log_loss=metrics.log_loss(targets, always),
        auprc=share,
    )


def _controls(card: Card, examples: Examples) -> list[Control]:
    """The recipe's shortcut controls, trained on this folder; none where it holds too few patients."""
    try:
        wanted = recipe.find(card.recipe).controls
        splits = list(folds(examples, min(_FOLDS, _smaller_class(examples)), _SEED))
    except (NotFound, BadRequest, ValueError):
        return []
    return controls.measure(wanted, examples, splits, _SEED)


def _smaller_class(examples: Examples) -> int:
    owners = [{row.patient for row, t in zip(examples.rows, examples.targets, strict=True) if t == k} for k in (0, 1)]
    return min(len(patients) for patients in owners)


def _values(overall: Figures, prevalence: float) -> Values:
    """By Bayes' rule from sensitivity and specificity; a class that is never answered has no value: 0."""
    assert overall.sensitivity is not None
    assert overall.specificity is not None
    ppv, npv = rates.values(overall.sensitivity.value, overall.specificity.value, prevalence)
    return Values(prevalence=prevalence, ppv=ppv, npv=npv)


def _sentences(card: Card, data: Dataset, overall: Figures, measured: list[Control]) -> list[str]:
    lines = [*([card.warning] if card.warning else []), *_overlap(card, data)]
    assert overall.auroc is not None
    rivals = [control for control in measured if control.auroc.value >= overall.auroc.low]
    if rivals:
        named = ", ".join(f"{control.name} {control.auroc.value:.2f}" for control in rivals)
        lines.append(
            f"On this folder trivial readings of the files do as well as the version (AUROC {overall.auroc.value:.2f}; "
            f"{named}): its figure here is no evidence that disease is recognised."
        )
    if overall.auroc.low <= 0.5:
        lines.append(
            "The interval of the AUROC reaches chance (0.5): on this folder nothing is shown to be recognised."
        )
    return lines


def _overlap(card: Card, data: Dataset) -> list[str]:
    """Whether the version was trained on these files: by fingerprint, and by the names of sources."""
    trained = data.where(lambda row: row.source in card.data.sources)
    if card.data.fingerprint in (data.fingerprint, trained.fingerprint):
        return [
            f"This folder holds the data that the version was trained on (same fingerprint): the figures of "
            f"{', '.join(card.data.sources)} are flattered and prove nothing. The card's own figures are out of fold."
        ]
    shared_names = sorted({row.source for row in trained.rows})
    if shared_names:
        return [f"Sources of these names were trained on, so patients may overlap: {', '.join(shared_names)}."]
    return []


def _read_ms(examples: Examples, card: Card, most: int = 8) -> float:
    """Milliseconds to decode and prepare one file, the median over some of them, measured now."""
    spent = []
    for row in examples.rows[:most]:
        started = time.perf_counter()
        prepared.prepare_file(row.path, card.pipeline)
        spent.append(1000 * (time.perf_counter() - started))
    return float(np.median(spent))
