"""cough/logistic_regression: the cough case study's linear model (part 2) on 26 means over frames."""

from collections.abc import Sequence

from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from services.trainer.coughs import CoughTable
from services.trainer.estimators import calibrated, settings
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Task, register

_ALPHA = 0.1


@register
class CoughLogisticRegression(CoughTable):
    """Log loss, L2 penalty with alpha 0.1, standardised; the document stops at 8 of 13 training positives."""

    name = "cough/logistic_regression"

    def options(self, mode: Mode) -> Options:
        """Sound: evenly over source and class."""
        return settings(balance="none" if mode == "faithful" else "source")

    def members(self, examples: Examples, task: Task) -> Sequence[Pipeline]:
        """Faithful: stochastic gradient descent, sigmoid-calibrated over five folds of rows.

        Sound: the same loss and penalty, solved exactly; the card's calibration over patients is the only one.
        """
        if task.mode == "sound":
            return [make_pipeline(StandardScaler(), LogisticRegression(C=1 / (_ALPHA * len(examples))))]
        descent = SGDClassifier(loss="log_loss", penalty="l2", alpha=_ALPHA, random_state=task.seed)
        return [make_pipeline(StandardScaler(), calibrated(descent, examples, task))]
