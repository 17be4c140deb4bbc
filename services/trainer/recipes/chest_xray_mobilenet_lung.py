"""chest_xray/mobilenet_lung: ours. A frozen MobileNetV2 on the lung field, without its exposure and sharpness."""

from collections import Counter
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from services.trainer import export, weights
from services.trainer.backbones import Staged
from services.trainer.bottleneck import features
from services.trainer.estimators import measured, settings
from services.trainer.frozen import First, OnePass, Pooled
from services.trainer.layers import Squeeze, Standardise, linear
from services.trainer.novelty import FeatureComponents, NoveltyModel
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Task, register
from services.trainer.recipes.chest_xray_cnn import ChestXrayCnn
from shared.schemas import Step

_SCORED = 1280  # channels of the last layer: the score reads these, the distance the others
# Layers whose means and deviations (96 and 160 of each) the distance reads: 13 knows best which side is up, 16 what a
# chest from elsewhere is.
_FAMILIAR = (13, 16)
_BLOCKS = ((1280, 1472), (1472, 1792))
_CUT = 4.0  # deviations that one feature may differ from the mean
# Inverse L2 penalty. On collections that had no part in the training AUROC is 0.81 at 1e-4 and 0.71 at 0.1, where it
# begins to tell the hospitals apart instead.
_PENALTY = {"sound": 1e-4, "faithful": 1.0}


@register
class ChestXrayMobilenetLung(ChestXrayCnn):
    """A logistic regression on 1,280 frozen features of the lung field; nothing else learns. `faithful`: little shrunk.

    Chosen by AUROC on collections held out whole: trained on one with the finding and one without, tested on two
    others, all four ways. Mean of these for the equalised lung field 0.48, for local contrast 0.72, blurred first 0.81;
    mirrored copies, earlier layers, radial spectra made alike and a discriminant analysis did not help.
    """

    name = "chest_xray/mobilenet_lung"
    shape = (1, 224, 224)
    pipeline: ClassVar[list[Step]] = [
        Step(transform="decode_image"),
        Step(transform="check_image", params={"min_side": 128}),
        Step(transform="trim_frame"),
        Step(transform="lung_field", params={"margin": 0.04}),
        Step(transform="resize_picture", params={"height": 224, "width": 224}),
        Step(transform="local_contrast", params={"smooth": 1.3, "reach": 16.0, "floor": 0.01}),
        Step(transform="as_tensor"),
    ]
    limits = (  # type: ignore[assignment]
        "Pneumonia of other causes was never shown to it: what is not normal may be flagged as well.",
        "The crop to the lungs is a rule of thumb; a rotated or cut-off chest may be cropped wrongly.",
    )
    # On X-rays from elsewhere a threshold finds fewer of the positives than at home, so it aims higher at home.
    sensitivity = 0.95
    start: ClassVar[str] = "ImageNet weights of torchvision"

    def options(self, mode: Mode) -> Options:
        """One fit, evenly over the collections of each class in sound mode."""
        return settings(balance="source" if mode == "sound" else "class")

    def fit(self, examples: Examples, task: Task) -> export.Graph:
        """Features once, then a convex fit: the same numbers whatever the seed."""
        inputs = torch.from_numpy(examples.inputs)
        network = self.network(task.mode, inputs)
        assert isinstance(network, Staged)
        found = features(network.base, inputs).float()
        network.head = _head(found, examples, task)
        with torch.no_grad():
            scores = network.head(found).numpy()
        task.on_epoch(measured(task.options.epochs, scores, examples.targets))
        return export.finished(OnePass(network, _distance(network.base, found)))

    def network(self, mode: Mode, inputs: Tensor) -> Staged:
        """(n, 1, 224, 224) to (n,); the head is still empty."""
        del mode, inputs
        layers, start = weights.load("mobilenet_v2", "features")
        assert isinstance(layers, nn.Sequential)
        type(self).start = start
        head = nn.Sequential(First(_SCORED), nn.Linear(_SCORED, 1), Squeeze())
        return Staged(Pooled(layers, _FAMILIAR), head, still=True)

    def augment(self, inputs: Tensor, mode: Mode) -> Tensor:
        """Nothing: features are computed once."""
        del mode
        return inputs

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Components of the means and deviations over layers 13 and 16."""
        base = self.network("sound", inputs).base
        return _distance(base, features(base, inputs).float())

    def initialisation(self) -> str:
        """Where the weights came from at the last training."""
        return self.start


def _head(found: Tensor, examples: Examples, task: Task) -> nn.Module:
    """Standardised, cut at 4 deviations, weighed: (n, size) to log-odds (n,)."""
    read = nn.Sequential(First(_SCORED), Standardise(found[:, :_SCORED]), nn.Hardtanh(-_CUT, _CUT))
    regression = LogisticRegression(C=_PENALTY[task.mode], max_iter=1000)
    regression.fit(read(found).numpy(), examples.targets, sample_weight=_weights(examples, task.options.balance))
    return nn.Sequential(*read, linear(regression), Squeeze())


def _weights(examples: Examples, balance: str) -> NDArray[np.float64]:
    """(n,) of mean 1: each class weighs the same, within it, if so asked, each collection.

    Thirty children then weigh as much as 128 adults: what they have in common is what "normal" can mean.
    """
    sources = examples.sources if balance == "source" else [""] * len(examples)
    groups = list(zip(sources, examples.targets.tolist(), strict=True))
    sizes = Counter(groups)
    collections = Counter(label for _, label in sizes)
    weights = np.array([1 / (sizes[group] * collections[group[1]]) for group in groups])
    return np.asarray(weights / weights.mean())


def _distance(base: nn.Module, found: Tensor) -> FeatureComponents:
    return FeatureComponents(base, found, _BLOCKS, components=16)
