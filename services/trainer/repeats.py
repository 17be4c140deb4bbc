"""How much a figure owes to the one way in which the patients happened to be split."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from services.trainer import evaluate, metrics
from services.trainer.evaluate import Plan
from services.trainer.fit import Epoch
from services.trainer.prepared import Examples
from shared.schemas import Repeated

_SMALL = 500
_TIMES = 5


def times(plan: Plan, examples: Examples, wanted: int | None) -> int:
    """How often to split: as wanted, else five times where patients are few and a fit costs seconds, else once."""
    if wanted is not None or plan.alone:
        return wanted or 1
    quick = plan.options.rate == 0  # a classifier, no network
    return _TIMES if quick and len(set(examples.patients)) < _SMALL else 1


def repeated(plan: Plan, examples: Examples, first: float, count: int) -> Repeated | None:
    """AUROC over `count` splits, each with another seed for split and training; `first` is that of the plan's own.

    None for one split.
    """
    areas = [first]
    for number in range(2, count + 1):
        again = replace(plan, seed=plan.seed + number - 1, precisions=(), on_epoch=_named(plan, number))
        areas.append(metrics.auroc(examples.targets, evaluate.out_of_fold(again, examples).scores))
    spread = Repeated(splits=count, mean=float(np.mean(areas)), low=min(areas), high=max(areas))
    return spread if count > 1 else None


def _named(plan: Plan, number: int) -> Callable[[str, Epoch], None]:
    return lambda stage, epoch: plan.on_epoch(f"split {number}, {stage}", epoch)
