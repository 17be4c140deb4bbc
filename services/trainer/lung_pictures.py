"""What the further networks of the lung-sound slides share with `lung_sound/cnn3`: data, picture, augmentation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from services.trainer import weights
from services.trainer.backbones import Scale, Staged
from services.trainer.layers import Difference, ThreeChannels
from services.trainer.novelty import Eigenpictures, NoveltyModel
from services.trainer.recipe import Mode, Options
from services.trainer.recipes.lung_sound_cnn3 import LungSoundCnn3
from shared.schemas import Step
from shared.transforms.pipelines import PIPELINES

_LITERAL_RATE = 1e-6


def picture_steps(side: int) -> list[Step]:
    """The 129 x 934 spectrogram of 15 s made `side` x `side`: (1, side, side)."""
    small = Step(transform="resize_picture", params={"height": side, "width": side})
    return [small if step.transform == small.transform else step for step in PIPELINES["lung_sound/cnn3"]]


class LungPicture(LungSoundCnn3):
    """Adam, batch 16, four folds ("cross-validation count 4"); the slides' own 9:1 splits: `documents.py`."""

    epochs: ClassVar[int]
    random_state: ClassVar[int] = 42
    learns: ClassVar[int] = 12
    """Epochs in sound mode, where the rate falls to nothing along a cosine."""

    def options(self, mode: Mode) -> Options:
        """Faithful: 1e-3 down to 1e-6 on a plateau; the slides print 1e-6, with which nothing is learnt."""
        if mode == "faithful":
            return Options(epochs=self.epochs, batch=16, rate=1e-3, folds=4, schedule="plateau", half=True, threads=1)
        return Options(
            epochs=self.learns, batch=16, rate=5e-4, folds=4, schedule="cosine", balance="source", weight_decay=0.02,
            half=True, threads=1,
        )  # fmt: skip

    def variants(self) -> Mapping[str, Options]:
        """The rate as the slides print it."""
        return {"literal rate": replace(self.options("faithful"), rate=_LITERAL_RATE, schedule="constant")}

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Eigenpictures of the spectrogram at 16 x 16 or a little less."""
        return Eigenpictures(inputs, pool=-(-self.shape[1] // 16), components=32)


class Convolutions(LungPicture):
    """Three blocks of convolution, batch normalisation, pooling and ReLU; dense 32-16-8-2, dropout 0.4-0.5-0.5."""

    kernels: ClassVar[Sequence[int]]
    filters: ClassVar[Sequence[int]] = (32, 64, 128)  # not given; as in `lung_sound/cnn3`

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 1, side, side) to (n,). Pooling before ReLU gives the same numbers as after it and is faster."""
        del inputs
        blocks: list[nn.Module] = [ThreeChannels()]
        wide = 3
        for narrow, kernel in zip(self.filters, self.kernels, strict=True):
            blocks += [nn.Conv2d(wide, narrow, kernel), nn.BatchNorm2d(narrow), nn.MaxPool2d(2), nn.ReLU()]
            wide = narrow
        stem = nn.Sequential(*blocks, nn.Flatten())
        flat = _flat(stem, self.shape)
        # The narrow dense layers die of large all-positive features; see `lung_sound/cnn3`.
        centre = nn.Identity() if mode == "faithful" else nn.LayerNorm(flat, elementwise_affine=False)
        network = nn.Sequential(*stem, centre, *_narrow(flat))
        network.apply(_he_normal)
        return network.to(memory_format=torch.channels_last)


class Transfer(LungPicture):
    """A frozen base with global average pooling, dense 1024-128-2, dropout 0.5."""

    architecture: ClassVar[str]
    epochs = 30
    start: ClassVar[str] = "ImageNet weights of torchvision"

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 1, side, side) to (n,). Faithful: pictures in [0, 1]. Sound: on the scale that the base has seen."""
        del inputs
        base, start = weights.load(self.architecture)
        type(self).start = start
        classifier, base.fc = base.fc, nn.Identity()
        assert isinstance(classifier, nn.Linear)
        # A frozen base needs no batch normalisation of its own: folded, it is faster and its weights round as stored.
        folded = fuse(base.eval())
        head = nn.Sequential(
            *(nn.Linear(classifier.in_features, 1024), nn.ReLU(), nn.Linear(1024, 128), nn.ReLU()),
            *(nn.Dropout(0.5), nn.Linear(128, 2), Difference()),
        )
        return Staged(nn.Sequential(ThreeChannels(), self.scale(mode), folded), head, still=False)

    def scale(self, mode: Mode) -> nn.Module:
        """The slides scale to [0, 1] and no further; the base was trained on ImageNet's scale."""
        return nn.Identity() if mode == "faithful" else Scale()

    def initialisation(self) -> str:
        """Where the base's weights came from at the last training."""
        return self.start


def _flat(stem: nn.Module, shape: tuple[int, ...]) -> int:
    with torch.no_grad():
        return int(stem.eval()(torch.zeros(1, *shape)).shape[1])


def _narrow(flat: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for wide, narrow, rate in ((flat, 32, 0.4), (32, 16, 0.5), (16, 8, 0.5)):
        layers += [nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(rate)]
    return [*layers, nn.Linear(8, 2), Difference()]


def _he_normal(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
