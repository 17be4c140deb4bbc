"""The protocol: every figure comes from patients that the network which answered for them had not seen."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from services.trainer import calibrate, conformal, controls, export, gates, kept, metrics, prepared, rates, resume, ways
from services.trainer.alone import one_by_one
from services.trainer.fit import Epoch
from services.trainer.folds import Places, folds
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Recipe, Task
from services.trainer.sources import known
from services.trainer.ways import Answers
from shared.schemas import (
    Calibration,
    Detail,
    Interval,
    Metrics,
    Novelty,
    OperatingPoint,
    Precision,
    SourceFigures,
)

Floats = NDArray[np.float64]


FINAL = "all patients"
"""The stage that trains the version itself."""


@dataclass(frozen=True)
class Plan:
    """What to train and how: the same for every fold and for the version itself.

    `keep` is a folder for what a run that is killed takes up again: each fit lies there under a name that holds all
    that it depends on, so whatever has changed is done anew. `checkpoints` is one for the weights a recipe declares.
    `precisions`: in which ones, beside f32, held-out patients are answered for as well. `alone`: every patient is a
    fold of its own.
    """

    recipe: Recipe
    mode: Mode
    options: Options
    seed: int
    threads: int
    on_epoch: Callable[[str, Epoch], None]
    keep: Path | None = None
    checkpoints: Path | None = None
    precisions: tuple[Precision, ...] = ()
    alone: bool = False

    def task(self, stage: str, keep: Path | None = None) -> Task:
        """One fit of this plan."""
        checkpoints = self.checkpoints if stage == FINAL else None
        return Task(self.mode, self.options, self.seed, lambda epoch: self.on_epoch(stage, epoch), keep, checkpoints)

    def place(self, stage: str, examples: Examples) -> Path | None:
        """The folder of one fit: its name holds recipe, settings, rows, pipeline and the code that runs."""
        if self.keep is None:
            return None
        recipe, rows = self.recipe, zip(examples.rows, examples.targets.tolist(), strict=True)
        identity = kept.digest(
            [recipe.name, self.mode, asdict(self.options), self.seed, resume.code(type(recipe))],
            [[row.sha256, row.label, row.patient, row.source, target, repr(row.events)] for row, target in rows],
            prepared.key(recipe.pipeline),
        )
        return self.keep / f"{re.sub('[^a-z0-9]+', '-', stage.lower())}-{identity}"

    @property
    def protocol(self) -> str:
        """The protocol in one sentence, for the card."""
        how = f"{self.options.folds}-fold cross-validation grouped by patient, stratified by source and label"
        if self.alone:
            how = f"each of {self.options.folds} patients held out alone"
        return (
            f"{how}; every figure out of fold, calibration and threshold for it from the other folds; intervals: "
            "bootstrap over patients (AUROC, AUPRC), Wilson (rates); the published network has the same settings and "
            "all patients"
        )


@dataclass(frozen=True)
class OutOfFold:
    """Scores and distances (n,) of every row from the fold that held it out, in f32 and, where tried, otherwise."""

    scores: Floats
    distances: Floats
    splits: list[tuple[Places, Places]]
    others: Mapping[Precision, Answers] = field(default_factory=dict)

    def computed(self, precision: Precision) -> "OutOfFold":
        """The same rows as they are answered in this precision."""
        if precision == "f32":
            return self
        scores, distances = self.others[precision]
        return replace(self, scores=scores, distances=distances)

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
    return plan.recipe.fit(examples, plan.task(stage, plan.place(stage, examples)))


def answer(plan: Plan, training: Examples, inputs: NDArray[np.float32], stage: str) -> Answers:
    """Train on some patients and answer for others in f32, with the weights rounded as they would serve."""
    return answers(replace(plan, precisions=()), training, inputs, stage)["f32"]


def answers(plan: Plan, training: Examples, inputs: NDArray[np.float32], stage: str) -> dict[Precision, Answers]:
    """`answer`, in the plan's precisions as well where the network is large enough for them.

    What was answered before a kill is answered again from the plan's folder, its epochs are told again.
    """
    place = plan.place(stage, training)
    file = place and place / f"answers-{kept.digest(plan.precisions, inputs.tobytes())}.npz"
    found = kept.read(file) if file else None
    if found is None:
        return _answers(plan, training, inputs, stage, file)
    for values in found.facts["epochs"]:
        plan.on_epoch(stage, Epoch(**values))
    return {name: tuple(found.arrays[name]) for name in found.facts["precisions"]}


def _answers(
    plan: Plan, training: Examples, inputs: NDArray[np.float32], stage: str, file: Path | None
) -> dict[Precision, Answers]:
    epochs: list[Epoch] = []

    def listen(stage: str, epoch: Epoch) -> None:
        epochs.append(epoch)
        plan.on_epoch(stage, epoch)

    graph = train_graph(replace(plan, on_epoch=listen), training, stage)
    scores, distances = (part.astype(np.float64) for part in export.answer(graph, inputs))
    found: dict[Precision, Answers] = {"f32": (scores, distances)}
    found |= ways.answers(graph, training.inputs, inputs, plan.precisions, plan.threads)
    if file is not None:
        facts = {"precisions": list(found), "epochs": [asdict(epoch) for epoch in epochs]}
        kept.write(file, {name: np.stack(part) for name, part in found.items()}, facts)
        _forget(file)
    return found


def _forget(answers: Path) -> None:
    """A fit that has answered needs its network no more, which is the large part."""
    for other in answers.parent.glob("network-*"):
        other.unlink()


def out_of_fold(plan: Plan, examples: Examples) -> OutOfFold:
    """Train once per fold and collect the answers for the held-out patients."""
    splits = list(one_by_one(examples) if plan.alone else folds(examples, plan.options.folds, plan.seed))
    held: dict[Precision, Answers] = {}
    for number, (training, held_out) in enumerate(splits, 1):
        stage = f"fold {number}/{len(splits)}"
        found = answers(plan, examples.take(training), examples.inputs[held_out], stage)
        for precision, (scores, distances) in found.items():
            every = held.setdefault(precision, (np.zeros(len(examples)), np.zeros(len(examples))))
            every[0][held_out], every[1][held_out] = scores, distances
    scores, distances = held.pop("f32")
    return OutOfFold(scores, distances, splits, held)


def losses(examples: Examples, held: OutOfFold, judgement: Judgement) -> dict[Precision, tuple[float, float]]:
    """What each precision beside f32 costs on held-out patients: AUROC, and the share of decisions that flip."""
    rule = ways.Rule(judgement.calibration, judgement.threshold, judgement.novelty.threshold)
    exact = (held.scores, held.distances)
    return {name: ways.compared(exact, other, examples.targets, rule) for name, other in held.others.items()}


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
    sides = rates.both(targets, crossed.flagged)
    share = float(targets.mean())
    return Metrics(
        protocol=plan.protocol,
        auroc=metrics.bootstrap(metrics.auroc, targets, held.scores, examples.patients, plan.seed),
        auprc=metrics.bootstrap(metrics.auprc, targets, held.scores, examples.patients, plan.seed, draws=300),
        brier=metrics.brier(targets, probabilities),
        log_loss=metrics.log_loss(targets, probabilities),
        balanced_accuracy=sum(side.value for side in sides if side) / 2,
        majority_accuracy=max(share, 1 - share),
        calibration_error=metrics.calibration_error(targets, probabilities),
        per_source=[
            _source_figures(name, examples, held.scores, crossed.flagged, plan.seed)
            for name in sorted(set(examples.sources))
        ],
        controls=controls.measure(plan.recipe.controls, examples, held.splits, plan.seed),
        detail=_detail(plan, examples, held, crossed),
    )


def _detail(plan: Plan, examples: Examples, held: OutOfFold, crossed: calibrate.Crossed) -> Detail:
    targets, patients, seed = examples.targets, examples.patients, plan.seed
    slope, intercept = rates.line(targets, crossed.probabilities, patients, seed)
    return Detail(
        fixed=rates.fixed(targets, held.scores, patients, seed),
        mcc=metrics.bootstrap(rates.mcc, targets, crossed.flagged.astype(np.float64), patients, seed),
        predictive=[rates.predictive(targets, crossed.flagged, patients, seed, plan.recipe.prevalence)],
        calibration_slope=slope,
        calibration_intercept=intercept,
        contradicted=gates.contradicted(targets, crossed.probabilities),
        conformal=conformal.measure(targets, crossed.probabilities, held.places, examples.sources),
    )


def _source_figures(
    name: str, examples: Examples, scores: Floats, flagged: NDArray[np.bool_], seed: int
) -> SourceFigures:
    places = np.flatnonzero(np.asarray(examples.sources) == name)
    found = rates.part(examples.take(places), scores[places], flagged[places], seed)
    return SourceFigures(source=name, licence=known(name).licence, **dict(found))


def _operating_point(examples: Examples, flagged: NDArray[np.bool_]) -> OperatingPoint:
    sensitivity, specificity = rates.both(examples.targets, flagged)
    assert sensitivity
    assert specificity
    return OperatingPoint(
        sensitivity=sensitivity,
        specificity=specificity,
        n=len(examples),
        positives=int(examples.targets.sum()),
        sources=sorted(set(examples.sources)),
    )


def mixed(examples: Examples) -> dict[str, NDArray[np.bool_]]:
    """The collections that hold both classes, each with its rows (n,); empty unless there are two."""
    families = np.array([known(source).family for source in examples.sources])
    places = {str(name): families == name for name in np.unique(families)}
    both = {name: inside for name, inside in places.items() if 0 < examples.targets[inside].mean() < 1}
    return both if len(both) > 1 else {}


def across_sources(plan: Plan, examples: Examples) -> dict[str, Interval]:
    """AUROC on each collection that holds both classes, by a network that was trained without it."""
    areas: dict[str, Interval] = {}
    for name, inside in mixed(examples).items():
        unseen, seen = examples.take(np.flatnonzero(inside)), examples.take(np.flatnonzero(~inside))
        scores, _ = answer(plan, seen, unseen.inputs, f"without {name}")
        areas[name] = metrics.bootstrap(metrics.auroc, unseen.targets, scores, unseen.patients, plan.seed)
    return areas
