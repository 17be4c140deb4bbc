"""cough/random_forest: the cough case study's forest of 50 small trees (part 2) on 26 means over frames."""

from collections.abc import Sequence

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from services.trainer.coughs import CoughTable
from services.trainer.estimators import calibrated, settings
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Task, register

_SMALLEST_LEAF = 0.01  # of all weight


@register
class CoughRandomForest(CoughTable):
    """50 trees of depth 4, sigmoid-calibrated. Not standardised: no split depends on the scale of a feature."""

    name = "cough/random_forest"

    def options(self, mode: Mode) -> Options:
        """Sound: evenly over source and class."""
        return settings(balance="none" if mode == "faithful" else "source")

    def members(self, examples: Examples, task: Task) -> Sequence[Pipeline]:
        """Sound: leaves of at least a hundredth of all weight, calibrated over folds of patients."""
        leaf = 0.0 if task.mode == "faithful" else _SMALLEST_LEAF
        forest = RandomForestClassifier(
            50, max_depth=4, min_weight_fraction_leaf=leaf, random_state=task.seed, n_jobs=1
        )
        return [make_pipeline(calibrated(forest, examples, task))]
