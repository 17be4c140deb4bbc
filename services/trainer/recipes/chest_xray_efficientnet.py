"""chest_xray/efficientnet_b0 to b7: the EfficientNet of the X-ray article; it used B3 (10,699,306 parameters)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from services.trainer import augment, weights
from services.trainer.backbones import Scale, Views
from services.trainer.layers import Difference, ThreeChannels
from services.trainer.novelty import Eigenpictures, NoveltyModel
from services.trainer.recipe import Mode, Options, register
from services.trainer.recipes.chest_xray_cnn import ChestXrayCnn

SIZES = range(8)
_CHANCE = 0.7
# One random draw per test picture, as the article did, gives another answer each time. The same turns and mirrors,
# fixed, and their mean: deterministic, and one graph. Sound mode mirrors nothing, because the heart has a side.
_FAITHFUL_VIEWS = ((0.0, 1.0, False), (0.0, 1.0, True), (7.0, 1.0, False), (-7.0, 1.0, True))
_SOUND_VIEWS = ((0.0, 1.0, False), (4.0, 1.05, False), (-4.0, 1.05, False))


class EfficientNet(ChestXrayCnn):
    """torchvision's EfficientNet with two outputs; all of it learns."""

    architecture: ClassVar[str]
    checkpoints = (1, 10)
    start: ClassVar[str] = "ImageNet weights of torchvision"

    def options(self, mode: Mode) -> Options:
        """Faithful: Adam at 1e-4, batch 32, 11 epochs, the rare class repeated. Sound: half the rate, even sources."""
        if mode == "faithful":
            return Options(epochs=11, batch=32, rate=1e-4, folds=3, balance="upsample", half=True)
        return Options(
            epochs=6, batch=16, rate=5e-5, folds=3, schedule="cosine", balance="source", weight_decay=0.05,
            smoothing=0.1, half=True,
        )  # fmt: skip

    def variants(self) -> Mapping[str, Options]:
        """The article's story: no sampling, an even sampler, repeated positives; learning rates; batch sizes."""
        told = self.options("faithful")
        samplings: dict[str, Options] = {
            "no sampling": replace(told, balance="none"),
            "weighted sampler": replace(told, balance="class"),
            "minority upsampling": told,
        }
        rates = {f"learning rate {rate:g}": replace(told, rate=rate) for rate in (1e-2, 1e-3, 1e-4, 1e-5)}
        batches = {f"batch {size}": replace(told, batch=size) for size in (256, 64, 32, 16)}
        return {**samplings, **rates, **batches}

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 1, 224, 224) to (n,): faithful without ImageNet's scale, as the article."""
        del inputs
        base, start = weights.load(self.architecture)
        type(self).start = start
        classifier = base.classifier
        assert isinstance(classifier, nn.Sequential)
        wide = classifier[1]
        assert isinstance(wide, nn.Linear)
        classifier[1] = nn.Linear(wide.in_features, 2)
        scale, views = (nn.Identity(), _FAITHFUL_VIEWS) if mode == "faithful" else (Scale(), _SOUND_VIEWS)
        network = nn.Sequential(ThreeChannels(), scale, base, Difference())
        return Views(network.to(memory_format=torch.channels_last), views, (self.shape[1], self.shape[2]))

    def augment(self, inputs: Tensor, mode: Mode) -> Tensor:
        """Faithful: seven of ten turned by up to 10 degrees, half of these mirrored. Sound: as chest_xray/cnn."""
        if mode == "sound":
            return super().augment(inputs, mode)
        chosen = (torch.rand(len(inputs)) < _CHANCE).view(-1, 1, 1, 1)
        return torch.where(chosen, augment.move(inputs, rotate=10, flip=True), inputs)

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """As chest_xray/cnn, for any side."""
        return Eigenpictures(inputs, pool=self.shape[1] // 8, components=16)

    def initialisation(self) -> str:
        """Where the weights came from at the last training."""
        return self.start


def _sized(size: int) -> type[EfficientNet]:
    class Sized(EfficientNet):
        name = f"chest_xray/efficientnet_b{size}"
        architecture = f"efficientnet_b{size}"
        pipeline = EfficientNet.pipeline

    return Sized


for _size in SIZES:
    register(_sized(_size))
