"""Where a tensor's picture lies in what a page shows: in the X-ray, or in the spectrogram of the whole recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.worker.explain.puzzle import Region
from shared.schemas import Step
from shared.transforms.chest import seen
from shared.transforms.specgram import AXES

Facts = Mapping[str, str | float]
Values = NDArray[np.float64]

_WHOLE: Region = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Shown:
    """Where the cells of a map lie.

    `region`: the part of the tensor that shows the input (shares). `box`: where that lies in the page's picture
    (shares, may reach beyond it). `upside_down`: low frequencies on top of the tensor. Of a sound: what the cells
    span, `seconds` and `hertz`, and after how many seconds the tensor repeats itself.
    """

    region: Region
    box: Region
    upside_down: bool = False
    seconds: tuple[float, float] | None = None
    hertz: tuple[float, float] | None = None
    period: float | None = None

    def turned(self, values: Values) -> Values:
        """(rows, columns) as the page shows them: high frequencies on top, a repeated recording once, its mean."""
        upright = values[::-1] if self.upside_down else values
        if self.seconds is None or self.period is None:
            return upright
        return _folded(upright, self.period)


def of_xray(facts: Facts) -> Shown:
    """An X-ray's tensor shows what its steps did not cut off."""
    return Shown(_WHOLE, seen(facts))


def of_sound(steps: Sequence[Step], facts: Facts) -> Shown:
    """A spectrogram's tensor, by the steps that made it: where it begins in the recording, and up to which pitch."""
    start, length, rate, period = 0.0, float(facts["seconds"]), float(facts["sample_rate"]), None
    nyquist = rate / 2
    for step in steps:
        if step.transform == "crop":
            length = min(length, step.params["seconds"])
        elif step.transform == "trim_silence":
            start += float(facts["leading_silence"])
            length -= float(facts["leading_silence"]) + float(facts["trailing_silence"])
        elif step.transform == "resample":
            rate = step.params["rate"]
        elif step.transform == "fit_length":
            period = length / step.params["seconds"] if length < step.params["seconds"] else None
            length = min(length, step.params["seconds"])
    whole = float(facts["seconds"])
    box = (1 - rate / 2 / nyquist, start / whole, 1.0, (start + length) / whole)
    drawn = any(step.transform == "specgram" for step in steps)
    return Shown(_axes() if drawn else _WHOLE, box, not drawn, (start, start + length), (0.0, rate / 2), period)


def _axes() -> Region:
    left, top, right, bottom = AXES
    return top, left, bottom, right


def _folded(values: Values, period: float) -> Values:
    """Columns over a whole that repeats after the share `period` of it, as the mean over the repeats."""
    count = max(1, round(values.shape[1] * period))
    columns = []
    for column in range(count):
        places = np.arange((column + 0.5) / count * period, 1, period)
        columns.append(values[:, np.minimum((places * values.shape[1]).astype(int), values.shape[1] - 1)].mean(axis=1))
    return np.stack(columns, axis=1)
