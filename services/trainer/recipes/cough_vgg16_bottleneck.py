"""cough/vgg16_bottleneck: a frozen VGG16 on 288 x 432 spectrogram pictures, the cough document's first network."""

import math

from torch import Tensor, nn

from services.trainer.backbones import Staged
from services.trainer.layers import Squeeze
from services.trainer.recipe import Mode, Options, register
from services.trainer.vgg16 import CoughPicture, picture_steps

_FILTERS = 128  # the document names the layers, not their sizes; dense 128 and 64 are ours too


@register
class CoughVgg16Bottleneck(CoughPicture):
    """Bottleneck 512 x 9 x 13, Conv 3x3x128, MaxPool 2, dense 128-64-1 (844,161 parameters learn)."""

    name = "cough/vgg16_bottleneck"
    shape = (3, 288, 432)
    pipeline = picture_steps(*shape[1:])

    def options(self, mode: Mode) -> Options:
        """Faithful: Adam at 0.01, batch 4, 50 epochs. Sound: a thirtieth of the rate, decay, evenly over sources."""
        if mode == "faithful":
            return Options(epochs=50, batch=4, rate=0.01)
        return Options(
            epochs=15, batch=16, rate=3e-4, schedule="cosine", balance="source", weight_decay=0.05, smoothing=0.1
        )

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 3, 288, 432) to (n,). The base sees the same pictures every epoch; dropout in sound mode only."""
        del inputs
        base = self.base(mode)
        _, channels, rows, columns = self.bottleneck(base)
        rate = 0.0 if mode == "faithful" else 0.5
        head = nn.Sequential(
            *(nn.Conv2d(channels, _FILTERS, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(rate)),
            *(nn.Linear(_FILTERS * math.prod(((rows - 2) // 2, (columns - 2) // 2)), 128), nn.ReLU()),
            *(nn.Dropout(rate), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1), Squeeze()),
        )
        return Staged(base, head, still=True)
