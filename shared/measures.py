"""What is watched of versions in service, and the fixed bins that it is counted in.

Bins never change under a name: what was counted before could not be read any more. A measure with other bins is another
measure. A value on an edge belongs to the bin above it; the first and last bin have no outer end.
"""

from dataclasses import dataclass

from shared.schemas import Modality

OUTCOMES = ("flagged", "not_flagged", "refer", "rejected", "failed")
_SOUND = (Modality.COUGH, Modality.LUNG_SOUND)
_PICTURE = (Modality.CHEST_XRAY,)


@dataclass(frozen=True)
class Measure:
    """One number of a result, counted between `edges`; `places`: how many bins there are."""

    name: str
    edges: tuple[float, ...]
    modalities: tuple[Modality, ...]
    unit: str = ""

    @property
    def places(self) -> int:
        """How many bins."""
        return len(self.edges) + 1


_TENTHS = tuple(round(0.05 * step, 2) for step in range(2, 19))
_OCTAVES = (100, 160, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000, 10000)
_EDGES = (500, 1000, 1250, 1600, 2000, 2500, 3150, 3500, 4000, 5000, 6300, 7500, 8000, 10000, 12500, 16000, 20000)

# What became of a job: its bins are OUTCOMES. Its edges only say where one ends and the next begins.
OUTCOME = Measure("outcome", (1, 2, 3, 4), tuple(Modality))
PROBABILITY = Measure("probability", (0.01, 0.02, 0.05, *_TENTHS, 0.95, 0.98, 0.99), tuple(Modality))
# Unlike the training data, as a multiple of the card's own threshold.
DISTANCE = Measure(
    "distance", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10), tuple(Modality)
)
# Of the inputs themselves, as `check_audio` and `check_image` measure them.
INPUTS = (
    Measure("seconds", (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60), _SOUND, "s"),
    Measure("level", tuple(range(-56, 0, 4)), _SOUND, "dB"),
    Measure("centroid", _OCTAVES, _SOUND, "Hz"),
    Measure("rolloff", _OCTAVES, _SOUND, "Hz"),
    Measure("edge", _EDGES, _SOUND, "Hz"),
    Measure("brightness", _TENTHS, _PICTURE),
    Measure("contrast", _TENTHS, _PICTURE),
    Measure("side", (256, 512, 768, 1024, 1280, 1536, 2048, 2560, 3072, 4096), _PICTURE, "px"),
)

MEASURES = {measure.name: measure for measure in (OUTCOME, PROBABILITY, DISTANCE, *INPUTS)}
FEATURES = tuple(measure.name for measure in INPUTS)
