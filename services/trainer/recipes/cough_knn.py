"""cough/knn: one nearest neighbour on L1-normalised rows, the winner of the cough case study's search (part 3)."""

from collections.abc import Sequence

from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from services.trainer.coughs import CoughTable
from services.trainer.estimators import calibrated, settings
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Task, register

_NEIGHBOURS = 25


@register
class CoughKnn(CoughTable):
    """k = 1, Euclidean, `Normalizer(norm="l1")` over each row, sigmoid-calibrated.

    The L1 norm of a row is nearly all centroid, bandwidth and roll-off, which are in Hz, so the document's distance
    hardly sees the other 23 features. Its log loss of 0.14 with one error shows that it was calibrated as well.
    """

    name = "cough/knn"
    limits = (
        *CoughTable.limits,
        "The version holds the 26 features of every training recording: nearest neighbours answer from them.",
    )

    def options(self, mode: Mode) -> Options:
        """No balance: a neighbour has no weight."""
        del mode
        return settings()

    def members(self, examples: Examples, task: Task) -> Sequence[Pipeline]:
        """Sound: standardised, 25 neighbours (one, or a few, follow every mislabelled row), folds of patients."""
        if task.mode == "faithful":
            return [make_pipeline(Normalizer("l1"), calibrated(KNeighborsClassifier(1), examples, task))]
        count = max(1, min(_NEIGHBOURS, len(examples) // 4))
        return [make_pipeline(StandardScaler(), calibrated(KNeighborsClassifier(count), examples, task))]
