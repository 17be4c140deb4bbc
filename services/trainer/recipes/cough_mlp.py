"""cough/mlp: four dense layers on 26 means over frames, the cough case study's final model (186,369 parameters)."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from services.trainer.controls import SOUND, Control
from services.trainer.layers import Squeeze, Standardise
from services.trainer.novelty import Mahalanobis, NoveltyModel
from services.trainer.recipe import Mode, Options, Recipe, register
from shared.schemas import InputContract, Labels, Modality, Population
from shared.transforms.pipelines import PIPELINES

_LOUDNESS = 1  # place of the root mean square among the 26 features


@register
class CoughMlp(Recipe):
    """26-512-256-128-64-1 with ReLU; the standardiser lies inside the graph."""

    name = "cough/mlp"
    modality = Modality.COUGH
    finding = "covid_pattern"
    labels = Labels(present="covid", absent="not_covid")
    present = frozenset({"covid"})
    absent = frozenset({"not_covid"})
    pipeline = PIPELINES[name]
    shape = (26,)
    engine = "onnxruntime"
    input = InputContract(
        media_types=["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg"],
        summary="One recording of voluntary coughing, at least half a second, 8 kHz or more; the first 5 s are used.",
    )
    population = Population(description="People who were asked to cough into a telephone")
    limits = (
        "Means over 5 s cannot tell a cough from other short sounds; the out-of-distribution score catches some.",
    )
    controls: ClassVar = {
        **SOUND,
        "loudness": Control(
            "the mean root mean square of the sound",
            lambda examples: examples.inputs[:, [_LOUDNESS]].astype(np.float64),
        ),
    }

    def options(self, mode: Mode) -> Options:
        """Faithful: Adam at 0.01 for 100 epochs on all rows. Sound: smaller steps, evenly over source and class."""
        if mode == "faithful":
            return Options(epochs=100, batch=32, rate=0.01, threads=1)
        return Options(
            epochs=30,
            batch=32,
            rate=5e-4,
            schedule="cosine",
            balance="source",
            weight_decay=0.05,
            smoothing=0.1,
            threads=1,
        )

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 26) to (n,); dropout in sound mode only."""
        rate = 0.0 if mode == "faithful" else 0.4
        layers: list[nn.Module] = [Standardise(inputs)]
        for wide, narrow in ((26, 512), (512, 256), (256, 128), (128, 64)):
            layers += [nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(rate)]
        return nn.Sequential(*layers, nn.Linear(64, 1), Squeeze())

    def augment(self, inputs: Tensor, mode: Mode) -> Tensor:
        """Sound mode: noise of a fifth of each feature's own deviation, so that no single value is learnt by heart."""
        if mode == "faithful":
            return inputs
        return inputs + 0.2 * inputs.std(0) * torch.randn_like(inputs)

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Mahalanobis distance of the 26 features."""
        return Mahalanobis(inputs)
