"""What the two VGG16 networks of the cough document share: the spectrogram picture and the base."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from services.trainer import weights
from services.trainer.backbones import Scale
from services.trainer.controls import SOUND
from services.trainer.novelty import Eigenpictures, NoveltyModel
from services.trainer.recipe import Mode, Recipe
from shared.schemas import InputContract, Labels, Modality, Population, Step


def picture_steps(height: int, width: int) -> list[Step]:
    """The first 5 s at 22,050 Hz as matplotlib's spectrogram picture (3, height, width)."""
    picture = {"n_fft": 2048, "overlap": 128, "height": height, "width": width}
    return [
        Step(transform="decode_audio"),
        Step(transform="check_audio", params={"min_seconds": 0.5, "max_seconds": 30.0, "min_rate": 8000}),
        Step(transform="crop", params={"seconds": 5.0}),
        Step(transform="resample", params={"rate": 22050}),
        Step(transform="specgram", params=picture),
    ]


class CoughPicture(Recipe):
    """A cough as a picture for a network that ImageNet has trained."""

    modality = Modality.COUGH
    finding = "covid_pattern"
    labels = Labels(present="covid", absent="not_covid")
    present = frozenset({"covid"})
    absent = frozenset({"not_covid"})
    engine = "openvino"
    input = InputContract(
        media_types=["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg"],
        summary="One recording of voluntary coughing, at least half a second, 8 kHz or more; the first 5 s are used.",
    )
    population = Population(description="People who were asked to cough into a telephone")
    limits = (
        "The picture shows everything up to 11 kHz, so what the telephone line cut off is visible to the network.",
        "Made for 170 recordings whose sample rate alone told the classes apart.",
    )
    controls = SOUND
    start: ClassVar[str] = "ImageNet weights of torchvision"

    def base(self, mode: Mode) -> nn.Sequential:
        """VGG16's 31 convolution layers, on [0, 1] (the document rescales only) or on ImageNet's scale (sound)."""
        features, start = weights.load("vgg16", "features")
        type(self).start = start
        assert isinstance(features, nn.Sequential)
        return nn.Sequential(nn.Identity() if mode == "faithful" else Scale(), *features)

    def bottleneck(self, base: nn.Module) -> torch.Size:
        """(1, channels, rows, columns) that a base makes of one input."""
        with torch.no_grad():
            features: Tensor = base(torch.zeros(1, *self.shape))
        return features.shape

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Eigenpictures of the coloured picture, averaged over blocks of a twelfth of its height."""
        return Eigenpictures(inputs, pool=self.shape[1] // 12, components=16)

    def initialisation(self) -> str:
        """Where VGG16's weights came from at the last training."""
        return self.start
