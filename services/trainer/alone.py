"""Every patient held out alone: for so few that a split into folds would be chance."""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut

from services.trainer.folds import Places
from services.trainer.prepared import Examples
from shared.errors import BadRequest

FEW = 40
"""With fewer patients each is left out alone, unless somebody asks for a number of folds."""


def one_by_one(examples: Examples) -> Iterator[tuple[Places, Places]]:
    """(training, held-out) places, one patient held out at a time. Raises BadRequest when a class has one patient."""
    owners = np.asarray(examples.patients)
    if min(len(set(owners[examples.targets == label])) for label in (0, 1)) < 2:
        raise BadRequest(detail="One class has a single patient: held out, nothing of the class is left to learn from.")
    for training, held_out in LeaveOneGroupOut().split(examples.inputs, examples.targets, owners):
        yield training.astype(np.int64), held_out.astype(np.int64)
