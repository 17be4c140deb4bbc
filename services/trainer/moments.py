"""Lessons about the moments of a recording, from what somebody marked in it: where tells more than that it is there."""

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from services.trainer.layers import Standardise, linear
from services.trainer.prepared import Examples

_PENALTY = 0.001
_TOP = 6
_MARGIN_S = 0.05
UNKNOWN = -1


class Moments(nn.Module):
    """The mean of a recording's six highest answers, each linear on one moment's standardised channels."""

    def __init__(self, standard: Standardise, question: nn.Linear) -> None:
        super().__init__()
        self.standard, self.question = standard, question

    def forward(self, found: Tensor) -> Tensor:
        """(n, moments, channels) to log-odds (n,)."""
        answers = self.question(self.standard(found)).squeeze(2)
        score: Tensor = answers.topk(_TOP, dim=1).values.mean(1)
        return score


def marked(examples: Examples, kinds: Collection[str], count: int, every_s: float) -> NDArray[np.int64]:
    """(n, count): whether the middle of each moment lies in an event of these kinds; a short recording is repeated.

    UNKNOWN where a recording has the finding and nobody marked where.
    """
    middles = (np.arange(count) + 0.5) * every_s
    found = np.zeros((len(examples), count), dtype=np.int64)
    for place, (row, facts) in enumerate(zip(examples.rows, examples.facts, strict=True)):
        times = middles % float(facts["seconds"])
        for event in row.events:
            if event.kind in kinds:
                found[place] |= (times >= event.start - _MARGIN_S) & (times <= event.end + _MARGIN_S)
    found[(examples.targets == 1) & ~found.any(1)] = UNKNOWN
    return found


def fit(found: Tensor, marks: NDArray[np.int64]) -> Moments | None:
    """Learn from moments (n, moments, channels) and their marks, evenly over both; None when no moment is marked."""
    known = torch.from_numpy(marks != UNKNOWN)
    table, targets = found[known], marks[marks != UNKNOWN]
    if not targets.any():
        return None
    standard = Standardise(table)
    regression = LogisticRegression(C=_PENALTY, max_iter=1000, class_weight="balanced")
    regression.fit(standard(table).numpy(), targets)
    return Moments(standard, linear(regression))
