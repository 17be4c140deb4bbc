"""lung_sound/ridges: ours. Statistics of lasting narrow lines, learnt as one stethoscope and as others would hear."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from services.trainer import export
from services.trainer.controls import SOUND
from services.trainer.estimators import EstimatorRecipe, settings
from services.trainer.novelty import Mahalanobis, NoveltyModel
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Task, register
from services.trainer.recipes.lung_sound_cnn3 import LungSoundCnn3
from services.trainer.stethoscopes import heard_elsewhere
from shared.schemas import Step
from shared.transforms.pipelines import PIPELINES
from shared.transforms.ridges import FEATURES

_PENALTY = 0.002


@register
class LungSoundRidges(EstimatorRecipe):
    """395 statistics of the spectrogram's ridges; the mean of a linear model's and of slow boosting's log-odds.

    `faithful` follows no document: it is the same without other stethoscopes, what these are compared with.
    """

    name = "lung_sound/ridges"
    modality = LungSoundCnn3.modality
    finding = LungSoundCnn3.finding
    labels = LungSoundCnn3.labels
    present = LungSoundCnn3.present
    absent = LungSoundCnn3.absent
    pipeline: ClassVar[list[Step]] = [
        *PIPELINES["lung_sound/cnn3"][:4],  # the first 15 s at 4 kHz, not filled up
        Step(transform="ridge_statistics", params={}),
    ]
    shape = (FEATURES,)
    input = LungSoundCnn3.input
    population = LungSoundCnn3.population
    limits = (
        *LungSoundCnn3.limits,
        "Other stethoscopes were simulated in training (response, low-pass, noise); no real other one was heard.",
    )
    controls: ClassVar = {name: LungSoundCnn3.controls[name] for name in (*SOUND, "age and sex", "chest location")}

    def options(self, mode: Mode) -> Options:
        """Evenly over the classes."""
        del mode
        return settings(balance="class")

    def fit(self, examples: Examples, task: Task) -> export.Graph:
        """Sound: on every recording as it is and once as another stethoscope would have heard it."""
        if task.mode == "faithful":
            return super().fit(examples, task)
        elsewhere = replace(examples, inputs=heard_elsewhere(examples.rows, self.pipeline))
        return super().fit(_both(examples, elsewhere), task)

    def members(self, examples: Examples, task: Task) -> Sequence[Pipeline]:
        """L2 logistic regression and boosting of shallow trees that see few rows and few features each."""
        del examples
        linear = make_pipeline(StandardScaler(), LogisticRegression(C=_PENALTY, max_iter=1000))
        boosting = GradientBoostingClassifier(
            n_estimators=200, learning_rate=0.04, subsample=0.4, max_features=0.04, min_samples_leaf=8,
            random_state=task.seed,
        )  # fmt: skip
        return [linear, make_pipeline(boosting)]

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Mahalanobis distance of the 395 numbers."""
        return Mahalanobis(inputs)


def _both(first: Examples, second: Examples) -> Examples:
    return replace(
        first,
        rows=first.rows + second.rows,
        inputs=np.concatenate([first.inputs, second.inputs]),
        targets=np.concatenate([first.targets, second.targets]),
        facts=first.facts + second.facts,
    )
