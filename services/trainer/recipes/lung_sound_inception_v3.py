"""lung_sound/inception_v3: a transfer network of the lung-sound slides, which answered the majority class."""

from torch import nn

from services.trainer.backbones import Scale
from services.trainer.lung_pictures import Transfer, picture_steps
from services.trainer.recipe import Mode, register


@register
class LungSoundInceptionV3(Transfer):
    """Frozen InceptionV3 without its auxiliary head on 75 x 75, its smallest input (2,229,634 parameters learn)."""

    name = "lung_sound/inception_v3"
    architecture = "inception_v3"
    shape = (1, 75, 75)
    pipeline = picture_steps(75)

    def scale(self, mode: Mode) -> nn.Module:
        """Google trained it on [-1, 1]."""
        return nn.Identity() if mode == "faithful" else Scale((0.5,) * 3, (0.5,) * 3)
