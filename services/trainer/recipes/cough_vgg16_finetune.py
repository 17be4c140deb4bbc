"""cough/vgg16_finetune: VGG16 with its last six layers open and convolutions as dense layers, on 224 x 224 pictures."""

from typing import ClassVar

from torch import Tensor, nn

from services.trainer.backbones import Staged
from services.trainer.layers import Squeeze
from services.trainer.recipe import Mode, Options, register
from services.trainer.vgg16 import CoughPicture, picture_steps

# Keras counts block4_conv3, block4_pool, block5_conv1 to 3 and block5_pool; here block4_conv3 is the 21st layer.
_FROZEN = 21 + 1  # and the scale in front


@register
class CoughVgg16Finetune(CoughPicture):
    """Two convolutions (7 x 7 and 1 x 1, 4096 filters) instead of dense layers: 128,989,185 parameters learn."""

    name = "cough/vgg16_finetune"
    shape = (3, 224, 224)
    pipeline = picture_steps(*shape[1:])
    filters: ClassVar[int] = 4096

    def options(self, mode: Mode) -> Options:
        """Faithful: Adam at 1e-4 on a plateau schedule down to 1e-6, 50 epochs. Sound: 1e-5, decay, even sources."""
        if mode == "faithful":
            return Options(epochs=50, batch=4, rate=1e-4, schedule="plateau")
        return Options(
            epochs=8, batch=16, rate=1e-5, schedule="cosine", balance="source", weight_decay=0.05, smoothing=0.1
        )

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """(n, 3, 224, 224) to (n,). The frozen part sees the same pictures every epoch; dropout in sound mode only."""
        del inputs
        base = self.base(mode)
        _, channels, rows, columns = self.bottleneck(base)
        rate = 0.0 if mode == "faithful" else 0.5
        head = nn.Sequential(
            *base[_FROZEN:],
            *(nn.Conv2d(channels, self.filters, (rows, columns)), nn.ReLU(), nn.Dropout(rate)),
            *(nn.Conv2d(self.filters, self.filters, 1), nn.ReLU(), nn.Dropout(rate)),
            *(nn.Flatten(), nn.Linear(self.filters, 1), Squeeze()),
        )
        return Staged(base[:_FROZEN], head, still=True)
