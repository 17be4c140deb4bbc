"""lung_sound/cnn2: configuration 2 of the lung-sound slides."""

from services.trainer.lung_pictures import Convolutions, picture_steps
from services.trainer.recipe import register


@register
class LungSoundCnn2(Convolutions):
    """64 x 64, kernels "2,2" (read as three blocks of 2 x 2), 20 epochs."""

    name = "lung_sound/cnn2"
    shape = (1, 64, 64)
    pipeline = picture_steps(64)
    kernels = (2, 2, 2)
    epochs = 20
