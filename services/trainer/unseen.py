"""Sources that a version was not trained on, but that lie in the same folder: how it answers for them.

They hold one class only, as a rule, so what can be said is how many are flagged and how many are referred.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.trainer import calibrate, metrics
from services.trainer.evaluate import Judgement
from services.trainer.prepared import Examples
from shared.schemas import Interval

Serve = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Unseen:
    """One class of an unseen source: share above the threshold and share beyond the novelty threshold."""

    source: str
    present: bool
    n: int
    flagged: Interval
    referred: Interval

    @property
    def sentence(self) -> str:
        """For the card."""
        kind = "with" if self.present else "without"
        return (
            f"Never trained on: of {self.n} files of {self.source} {kind} the finding {_rate(self.flagged)} lie above "
            f"the threshold, and {_rate(self.referred)} are referred as unlike the training data."
        )


def unseen(serve: Serve, judgement: Judgement, examples: Examples) -> list[Unseen]:
    """Answers of the finished graph for every (source, class) of the examples."""
    scores, distances = serve(examples.inputs)
    flagged = calibrate.apply(judgement.calibration, scores.astype(np.float64)) >= judgement.threshold
    referred = distances > judgement.novelty.threshold
    groups = sorted(set(zip(examples.sources, examples.targets.tolist(), strict=True)))
    found = []
    for source, target in groups:
        chosen = (np.asarray(examples.sources) == source) & (examples.targets == target)
        count = int(chosen.sum())
        rates = (metrics.wilson(int(hits[chosen].sum()), count) for hits in (flagged, referred))
        found.append(Unseen(source, bool(target), count, *rates))
    return found


def _rate(interval: Interval) -> str:
    return f"{interval.value:.0%} ({interval.low:.0%} to {interval.high:.0%})"
