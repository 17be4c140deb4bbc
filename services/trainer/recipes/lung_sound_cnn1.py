"""lung_sound/cnn1: configuration 1 of the lung-sound slides, which answered the majority class."""

from services.trainer.lung_pictures import Convolutions, picture_steps
from services.trainer.recipe import register


@register
class LungSoundCnn1(Convolutions):
    """128 x 128, 10 epochs, random_state 7. The slides give no convolutions here; 3 x 3 is our reading."""

    name = "lung_sound/cnn1"
    shape = (1, 128, 128)
    pipeline = picture_steps(128)
    kernels = (3, 3, 3)
    epochs = 10
    random_state = 7
