"""What flows through a pipeline: a source file, then a recording or a picture, then a tensor."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """A stored file and its media type by content (never by name)."""

    path: Path
    media_type: str


@dataclass(frozen=True, eq=False)
class Recording:
    """One channel of sound: `samples` float32 (n,), full scale = 1; `rate` in Hz."""

    samples: FloatArray
    rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, eq=False)
class Picture:
    """Brightness: `pixels` float32 (height, width) in [0, 1], 1 is white."""

    pixels: FloatArray
