"""lung_sound/resnet50: a transfer network of the lung-sound slides, which answered the majority class."""

from services.trainer.lung_pictures import Transfer, picture_steps
from services.trainer.recipe import register


@register
class LungSoundResnet50(Transfer):
    """Frozen ResNet50 on 64 x 64 (2,229,634 parameters of the head learn)."""

    name = "lung_sound/resnet50"
    architecture = "resnet50"
    shape = (1, 64, 64)
    pipeline = picture_steps(64)
