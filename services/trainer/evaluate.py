"""The protocol: every figure comes from patients that the network which answered for them had not seen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from services.trainer import calibrate, controls, export, metrics
from services.trainer.fit import Epoch
from services.trainer.folds import Places, folds
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Recipe, Task
from services.trainer.sources import known
from shared.schemas import Calibration, Interval, Metrics, Novelty, OperatingPoint, SourceFigures

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What to train and how: the same for every fold and for the version itself."""

    recipe: Recipe
    mode: Mode
    options: Options
    seed: int
    threads: int
    on_epoch: Callable[[str, Epoch], None]
    keep: Path | None = None

    def task(self, stage: str) -> Task:
        """One fit of this plan."""
        return Task(self.mode, self.options, self.seed, lambda epoch: self.on_epoch(stage, epoch), self.keep)

    @property
    def protocol(self) -> str:
        """The protocol in one sentence, for the card."""
        return (
            f"{self.options.folds}-fold cross-validation grouped by patient, stratified by source and label; every "
            "figure out of fold, calibration and threshold for it from the other folds; intervals: bootstrap over "
            "patients (AUROC, AUPRC), Wilson (rates); the published network has the same settings and all patients"
        )


@dataclass(frozen=True)
class OutOfFold:
    """Scores and distances (n,) of every row from the fold that held it out."""

    scores: Floats
    distances: Floats
    splits: list[tuple[Places, Places]]

    @property
    def places(self) -> list[Places]:
        """The held-out places of each fold."""
        return [held_out for _, held_out in self.splits]


@dataclass(frozen=True)
class Judgement:
    """Everything of the card that was measured."""

    calibration: Calibration
    threshold: float
    operating_point: OperatingPoint
    novelty: Novelty
    metrics: Metrics


def train_graph(plan: Plan, examples: Examples, stage: str) -> export.Graph:
    """Fit on the examples and assemble the graph as it would serve."""
    return plan.recipe.fit(examples, plan.task(stage))


def answer(plan: Plan, training: Examples, inputs: NDArray[np.float32], stage: str) -> tuple[Floats, Floats]:
    """Train on some patients and answer for others, with the weights rounded as they would serve."""
    scores, distances = export.answer(train_graph(plan, training, stage), inputs)
    return scores.astype(np.float64), distances.astype(np.float64)


def out_of_fold(plan: Plan, examples: Examples) -> OutOfFold:
    """Train once per fold and collect the answers for the held-out patients."""
    splits = list(folds(examples, plan.options.folds, plan.seed))
    scores, distances = np.zeros(len(examples)), np.zeros(len(examples))
    for number, (training, held_out) in enumerate(splits, 1):
        stage = f"fold {number}/{len(splits)}"
        answers = answer(plan, examples.take(training), examples.inputs[held_out], stage)
        scores[held_out], distances[held_out] = answers
    return OutOfFold(scores, distances, splits)


def judge(plan: Plan, examples: Examples, held: OutOfFold) -> Judgement:
    """All figures of the card from the out-of-fold answers. Raises VersionInvalid when nothing was learnt."""
    recipe, targets = plan.recipe, examples.targets
    calibration = calibrate.sigmoid(targets, held.scores)
    limit = calibrate.threshold(targets, calibrate.apply(calibration, held.scores), recipe.sensitivity)
    crossed = calibrate.crossed(targets, held.scores, held.places, recipe.sensitivity)
    method = recipe.novelty(torch.from_numpy(examples.inputs)).method
    distance = float(np.quantile(held.distances, recipe.novelty_quantile))
    return Judgement(
        calibration,
        limit,
        _operating_point(examples, crossed.flagged),
        Novelty(method=method, threshold=distance, quantile=recipe.novelty_quantile),
        _metrics(plan, examples, held, crossed),
    )


def _metrics(plan: Plan, examples: Examples, held: OutOfFold, crossed: calibrate.Crossed) -> Metrics:
    targets, probabilities = examples.targets, crossed.probabilities
    rates = _rates(targets, crossed.flagged)
    share = float(targets.mean())
    return Metrics(
        protocol=plan.protocol,
        auroc=metrics.bootstrap(metrics.auroc, targets, held.scores, examples.patients, plan.seed),
        auprc=metrics.bootstrap(metrics.auprc, targets, held.scores, examples.patients, plan.seed, draws=300),
        brier=metrics.brier(targets, probabilities),
        log_loss=metrics.log_loss(targets, probabilities),
        balanced_accuracy=sum(rate.value for rate in rates if rate) / 2,
        majority_accuracy=max(share, 1 - share),
        calibration_error=metrics.calibration_error(targets, probabilities),
        per_source=[
            _source_figures(name, examples, held.scores, crossed.flagged, plan.seed)
            for name in sorted(set(examples.sources))
        ],
        controls=controls.measure(plan.recipe.controls, examples, held.splits, plan.seed),
    )


def _source_figures(
    name: str, examples: Examples, scores: Floats, flagged: NDArray[np.bool_], seed: int
) -> SourceFigures:
    places = np.flatnonzero(np.asarray(examples.sources) == name)
    part = examples.take(places)
    sensitivity, specificity = _rates(part.targets, flagged[places])
    area = None
    if sensitivity and specificity:
        area = metrics.bootstrap(metrics.auroc, part.targets, scores[places], part.patients, seed)
    return SourceFigures(
        source=name,
        licence=known(name).licence,
        n=len(part),
        patients=len(set(part.patients)),
        positives=int(part.targets.sum()),
        auroc=area,
        sensitivity=sensitivity,
        specificity=specificity,
    )


def _rates(targets: NDArray[np.int64], flagged: NDArray[np.bool_]) -> tuple[Interval | None, Interval | None]:
    """Sensitivity and specificity, None without rows of the class."""
    sick, well = flagged[targets == 1], ~flagged[targets == 0]
    return tuple(metrics.wilson(int(part.sum()), len(part)) if len(part) else None for part in (sick, well))  # type: ignore[return-value]


def _operating_point(examples: Examples, flagged: NDArray[np.bool_]) -> OperatingPoint:
    sensitivity, specificity = _rates(examples.targets, flagged)
    assert sensitivity
    assert specificity
    return OperatingPoint(
        sensitivity=sensitivity,
        specificity=specificity,
        n=len(examples),
        positives=int(examples.targets.sum()),
        sources=sorted(set(examples.sources)),
    )


def across_sources(plan: Plan, examples: Examples) -> dict[str, Interval]:
    """AUROC on each collection that holds both classes, by a network that was trained without it.

    Empty unless there are two such collections.
    """
    families = np.array([known(source).family for source in examples.sources])
    mixed = [name for name in np.unique(families) if 0 < examples.targets[families == name].mean() < 1]
    areas: dict[str, Interval] = {}
    for name in mixed if len(mixed) > 1 else []:
        unseen, seen = examples.take(np.flatnonzero(families == name)), examples.take(np.flatnonzero(families != name))
        scores, _ = answer(plan, seen, unseen.inputs, f"without {name}")
        areas[str(name)] = metrics.bootstrap(metrics.auroc, unseen.targets, scores, unseen.patients, plan.seed)
    return areas
