"""Splits that never divide a patient."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from services.trainer.prepared import Examples
from shared.errors import BadRequest

Places = NDArray[np.int64]


def folds(examples: Examples, count: int, seed: int) -> Iterator[tuple[Places, Places]]:
    """(training, held-out) places of `count` folds, grouped by patient, stratified by source and label.

    Raises BadRequest when a class has fewer patients than there are folds.
    """
    for label in (0, 1):
        owners = {row.patient for row, target in zip(examples.rows, examples.targets, strict=True) if target == label}
        if len(owners) < count:
            raise BadRequest(detail=f"{len(owners)} patients in one class do not fill {count} folds.")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for training, held_out in splitter.split(examples.inputs, _strata(examples, count), examples.patients):
        yield training.astype(np.int64), held_out.astype(np.int64)


def _strata(examples: Examples, count: int) -> list[str]:
    """Source and label; a stratum too small to reach every fold joins the others of its label."""
    names = [f"{row.source} {target}" for row, target in zip(examples.rows, examples.targets, strict=True)]
    sizes = Counter(names)
    return [
        name if sizes[name] >= 2 * count else str(target) for name, target in zip(names, examples.targets, strict=True)
    ]
