"""What the cough recipes on the documents' 26 features have in common."""

from typing import ClassVar

from torch import Tensor

from services.trainer.estimators import EstimatorRecipe
from services.trainer.novelty import Mahalanobis, NoveltyModel
from services.trainer.recipes.cough_mlp import CoughMlp


class CoughTable(EstimatorRecipe):
    """Input, finding, controls and novelty of `cough/mlp`: all models of the source document share one table."""

    modality = CoughMlp.modality
    finding = CoughMlp.finding
    labels = CoughMlp.labels
    present = CoughMlp.present
    absent = CoughMlp.absent
    pipeline = CoughMlp.pipeline
    shape = CoughMlp.shape
    input = CoughMlp.input
    population = CoughMlp.population
    limits: ClassVar[tuple[str, ...]] = CoughMlp.limits
    controls = CoughMlp.controls

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Mahalanobis distance of the 26 features."""
        return Mahalanobis(inputs)
