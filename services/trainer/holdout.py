"""The cough document's own protocol: one stratified 70/30 split of rows, for the reproduction report only.

It divides no patients' rows apart, measures at P = 0.5 and on very few positives, so no card shows its figures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from services.trainer import export
from services.trainer.estimators import measured
from services.trainer.fit import Epoch
from services.trainer.prepared import Examples
from services.trainer.recipe import Recipe, Task

_SHARE = 0.3


@dataclass(frozen=True)
class HoldOut:
    """Counts and log loss on the part that was learnt from, and on the part that was not."""

    training: Epoch
    test: Epoch


def hold_out(recipe: Recipe, examples: Examples, task: Task) -> HoldOut:
    """Fit on 70 % of the rows, stratified by label, and count right and wrong answers on both parts."""
    places = np.arange(len(examples))
    parts = train_test_split(places, test_size=_SHARE, stratify=examples.targets, random_state=task.seed)
    graph = recipe.fit(examples.take(parts[0]), task)
    training, test = (_counted(graph, examples, part) for part in parts)
    return HoldOut(training, test)


def _counted(graph: export.Graph, examples: Examples, places: NDArray[np.int64]) -> Epoch:
    scores, _ = export.answer(graph, examples.inputs[places])
    return measured(0, scores, examples.targets[places])
