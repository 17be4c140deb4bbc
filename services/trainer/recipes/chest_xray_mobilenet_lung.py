"""chest_xray/mobilenet_lung: ours. ImageNet's MobileNetV2 on the equalised lung field, without frame and exposure."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.trainer import augment, weights
from services.trainer.backbones import Scale
from services.trainer.layers import Squeeze, ThreeChannels
from services.trainer.novelty import Eigenpictures, NoveltyModel
from services.trainer.recipe import Mode, Options, register
from services.trainer.recipes.chest_xray_cnn import ChestXrayCnn
from shared.schemas import Step


@register
class ChestXrayMobilenetLung(ChestXrayCnn):
    """Frame trimmed, cropped to the lungs, CLAHE; 2,225,153 parameters learn. `faithful` is the same without tricks."""

    name = "chest_xray/mobilenet_lung"
    shape = (1, 224, 224)
    pipeline: ClassVar[list[Step]] = [
        Step(transform="decode_image"),
        Step(transform="check_image", params={"min_side": 128}),
        Step(transform="trim_frame"),
        Step(transform="lung_field", params={"margin": 0.04}),
        Step(transform="resize_picture", params={"height": 224, "width": 224}),
        Step(transform="clahe", params={"tiles": 4, "clip": 2.5}),
        Step(transform="as_tensor"),
    ]
    limits = (  # type: ignore[assignment]
        "Pneumonia of other causes was never shown to it: what is not normal may be flagged as well.",
        "The crop to the lungs is a rule of thumb; a rotated or cut-off chest may be cropped wrongly.",
    )
    start: ClassVar[str] = "ImageNet weights of torchvision"

    def options(self, mode: Mode) -> Options:
        """Small steps from ImageNet; sound mode draws evenly over (source, label) and averages the weights."""
        if mode == "faithful":
            return Options(epochs=6, batch=16, rate=3e-4, folds=3, schedule="cosine", balance="class", half=True)
        return Options(
            epochs=8, batch=16, rate=3e-4, folds=3, schedule="cosine", balance="source", weight_decay=0.05,
            smoothing=0.1, half=True,
        )  # fmt: skip

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 1, 224, 224) to (n,)."""
        del inputs
        base, start = weights.load("mobilenet_v2", "features")
        type(self).start = start
        rate = 0.2 if mode == "faithful" else 0.4
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(rate), nn.Linear(1280, 1), Squeeze())
        network = nn.Sequential(ThreeChannels(), Scale(), base, *head)
        return network.to(memory_format=torch.channels_last)

    def augment(self, inputs: Tensor, mode: Mode) -> Tensor:
        """Turned, enlarged, moved; other exposures, sharpness, noise; a part hidden. Never mirrored."""
        moved = augment.move(inputs, rotate=8, zoom=0.15, shift=0.08)
        if mode == "faithful":
            return moved
        toned = augment.tone(_coarse(augment.blur(moved, 0.3), 0.4), gamma=0.5, contrast=0.4, noise=0.05)
        return augment.mask_bands(toned, rows=self.shape[1] // 7, columns=self.shape[2] // 7)

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Eigenpictures of the lung field at 8 x 8."""
        return Eigenpictures(inputs, pool=self.shape[1] // 8, components=16)

    def initialisation(self) -> str:
        """Where the weights came from at the last training."""
        return self.start


def _coarse(pictures: Tensor, chance: float) -> Tensor:
    """At half the resolution with this chance: collections differ in it."""
    small = functional.avg_pool2d(pictures, 2)
    back = functional.interpolate(small, size=pictures.shape[2:], mode="bilinear", align_corners=False)
    chosen = (torch.rand(len(pictures)) < chance).view(-1, 1, 1, 1)
    return torch.where(chosen, back, pictures)
