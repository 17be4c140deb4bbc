"""lung_sound/logmel: ours. A small network on log-mel frames that should not care which stethoscope recorded them."""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Beta

from services.trainer import augment
from services.trainer.layers import Squeeze
from services.trainer.novelty import Eigenpictures, NoveltyModel
from services.trainer.recipe import Mode, Options, register
from services.trainer.recipes.lung_sound_cnn3 import LungSoundCnn3
from services.trainer.stethoscopes import other_stethoscope
from shared.schemas import Step
from shared.transforms.pipelines import PIPELINES

_FRAMES = 466  # (60,000 - 384) // 128 + 1
_MIXUP = 0.3
_WIDTHS = (2, 24, 48, 96, 128)


@register
class LungSoundLogmel(LungSoundCnn3):
    """64 mel bands of 50 to 1900 Hz, four blocks of convolution, attention and maximum over time (163,842 parameters).

    `faithful` is the same network without SpecAugment, mixup and other stethoscopes: what these are compared with.
    """

    name = "lung_sound/logmel"
    shape = (1, 64, _FRAMES)
    pipeline: ClassVar[list[Step]] = [
        *PIPELINES["lung_sound/cnn3"][:5],  # the first 15 s at 4 kHz
        Step(
            transform="log_mel",
            params={"n_fft": 384, "hop": 128, "bands": 64, "low": 50.0, "high": 1900.0, "top_db": 80.0},
        ),
        Step(transform="as_tensor"),
    ]

    def options(self, mode: Mode) -> Options:
        """AdamW, batch 16; sound mode draws evenly over (source, label)."""
        if mode == "faithful":
            return Options(epochs=15, batch=16, rate=1e-3, schedule="cosine", balance="class", half=True)
        return Options(
            epochs=25, batch=16, rate=1e-3, schedule="cosine", balance="source", weight_decay=0.02, smoothing=0.05,
            half=True,
        )  # fmt: skip

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 1, 64, frames) to (n,)."""
        del mode, inputs
        blocks: list[nn.Module] = [BandLevel()]
        for wide, narrow in pairwise(_WIDTHS):
            blocks += [nn.Conv2d(wide, narrow, 3, padding=1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()]
            blocks += [nn.MaxPool2d(2), nn.Dropout2d(0.1)]
        width = _WIDTHS[-1]
        head = (AttentionMaximum(width), nn.Dropout(0.4), nn.Linear(2 * width, 1), Squeeze())
        return nn.Sequential(*blocks, *head).to(memory_format=torch.channels_last)

    def augment(self, inputs: Tensor, mode: Mode) -> Tensor:
        """Sound: turned in time, heard through another stethoscope, bands of frequency and time hidden."""
        if mode == "faithful":
            return inputs
        heard = other_stethoscope(augment.roll_columns(inputs))
        return augment.mask_bands(augment.mask_bands(heard, rows=8, columns=50), rows=6, columns=50)

    def mix(self, inputs: Tensor, targets: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """Mixup (Zhang et al. 2018) of a batch with itself in another order, the nearer one at least half."""
        inputs = self.augment(inputs, mode)
        if mode == "faithful":
            return inputs, targets
        share = Beta(_MIXUP, _MIXUP).sample((len(inputs),))
        share, order = torch.maximum(share, 1 - share), torch.randperm(len(inputs))
        column = share.view(-1, 1, 1, 1)
        return inputs * column + inputs[order] * (1 - column), targets * share + targets[order] * (1 - share)

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Eigenpictures of 8 bands by 58 stretches of time."""
        return Eigenpictures(inputs, pool=8, components=32)


class BandLevel(nn.Module):
    """Each band as it is, and less its own mean over time: a stethoscope's response falls out of the second."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 1, bands, frames) to (n, 2, bands, frames)."""
        centred = inputs - inputs.mean((2, 3), keepdim=True)
        return torch.cat([centred, inputs - inputs.mean(3, keepdim=True)], dim=1) * 4


class AttentionMaximum(nn.Module):
    """Mean over frequency; over time both a mean weighted by attention and the maximum: a wheeze is short."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.Conv1d(width, 1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, width, bands, frames) to (n, 2 * width)."""
        frames = inputs.mean(2)
        weights = torch.softmax(self.attention(frames), dim=2)
        return torch.cat([(frames * weights).sum(2), frames.amax(2)], dim=1)
