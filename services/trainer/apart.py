"""One recipe under the protocol that all recipes share: patients apart, per source, beside the shortcut controls."""

import time
from collections.abc import Iterable

import numpy as np
import torch

from services.trainer import controls, evaluate, metrics
from services.trainer.evaluate import Floats, Judgement, OutOfFold, Plan
from services.trainer.prepared import Examples
from services.trainer.recipe import parameters
from shared.errors import VersionInvalid
from shared.schemas import Control, Interval, Shape, SourceFigures


class Elsewhere(Shape):
    """AUROC where a collection was left out of the training.

    `against` names the rows of the other class when the collection holds one class only: held-out patients of the
    collections that were trained on.
    """

    source: str
    n: int
    auroc: Interval
    against: str = ""


class Apart(Shape):
    """What a recipe reaches on patients that it never saw. `refused`: why nothing could be published; then no rates."""

    n: int
    patients: int
    positives: int
    sources: list[str]
    folds: int
    epochs: int
    parameters: int
    initialisation: str
    auroc: Interval
    majority: float
    sensitivity: Interval | None = None
    specificity: Interval | None = None
    balanced_accuracy: float | None = None
    brier: float | None = None
    per_source: list[SourceFigures] | None = None
    controls: list[Control]
    elsewhere: list[Elsewhere]
    refused: str | None = None
    seconds: float


def apart(plan: Plan, examples: Examples, others: Examples | None) -> Apart:
    """Out-of-fold figures, and those for collections that were left out; `others` hold sources not trained on."""
    started = time.monotonic()
    held = evaluate.out_of_fold(plan, examples)
    elsewhere = [*_across(plan, examples), *(_unseen(plan, examples, others, held) if others else ())]
    judgement, refused = _judged(plan, examples, held)
    share = float(examples.targets.mean())
    return Apart(
        n=len(examples),
        patients=len(set(examples.patients)),
        positives=int(examples.targets.sum()),
        sources=sorted(set(examples.sources)),
        folds=plan.options.folds,
        epochs=plan.options.epochs,
        parameters=_size(plan, examples),
        initialisation=plan.recipe.initialisation(),
        auroc=metrics.bootstrap(metrics.auroc, examples.targets, held.scores, examples.patients, plan.seed),
        majority=max(share, 1 - share),
        controls=controls.measure(plan.recipe.controls, examples, held.splits, plan.seed),
        elsewhere=elsewhere,
        refused=refused,
        seconds=time.monotonic() - started,
        **_rates(judgement),
    )


def _judged(plan: Plan, examples: Examples, held: OutOfFold) -> tuple[Judgement | None, str | None]:
    try:
        return evaluate.judge(plan, examples, held), None
    except VersionInvalid as refusal:
        return None, refusal.detail


def _rates(judgement: Judgement | None) -> dict[str, object]:
    if judgement is None:
        return {}
    point, figures = judgement.operating_point, judgement.metrics
    return {
        "sensitivity": point.sensitivity,
        "specificity": point.specificity,
        "balanced_accuracy": figures.balanced_accuracy,
        "brier": figures.brier,
        "per_source": figures.per_source,
    }


def _size(plan: Plan, examples: Examples) -> int:
    """Parameters that learn; 0 for classifiers, whose size depends on what they learn."""
    try:
        return parameters(plan.recipe.network(plan.mode, torch.from_numpy(examples.inputs[:4])))
    except NotImplementedError:
        return 0


def _across(plan: Plan, examples: Examples) -> Iterable[Elsewhere]:
    for source, area in evaluate.across_sources(plan, examples).items():
        yield Elsewhere(source=source, n=len(examples), auroc=area)


def _unseen(plan: Plan, examples: Examples, others: Examples, held: OutOfFold) -> Iterable[Elsewhere]:
    """Each source of `others` beside the held-out patients of the first fold, by the network of that fold."""
    training, places = held.splits[0]
    inputs = np.concatenate([examples.inputs[places], others.inputs])
    scores, _ = evaluate.answer(plan, examples.take(training), inputs, "for other sources")
    known, strange = scores[: len(places)], scores[len(places) :]
    for source in sorted(set(others.sources)):
        chosen = np.flatnonzero(np.asarray(others.sources) == source)
        yield _against(plan, source, (others.take(chosen), strange[chosen]), (examples.take(places), known))


def _against(plan: Plan, source: str, new: tuple[Examples, Floats], old: tuple[Examples, Floats]) -> Elsewhere:
    """A source with both classes is judged by itself, one with a single class against held-out rows of the other."""
    (rows, scores), (others, known) = new, old
    against = ""
    targets, patients = rows.targets, list(rows.patients)
    if len(set(targets.tolist())) == 1:
        beside = np.flatnonzero(others.targets != targets[0])
        against = f"{len(beside)} held-out {'with' if targets[0] == 0 else 'without'} the finding"
        targets = np.concatenate([targets, others.targets[beside]])
        scores = np.concatenate([scores, known[beside]])
        patients += others.take(beside).patients
    area = metrics.bootstrap(metrics.auroc, targets, scores, patients, plan.seed)
    return Elsewhere(source=source, n=len(rows), auroc=area, against=against)
