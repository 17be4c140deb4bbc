"""Statistics of the ridges in a lung sound's spectrogram: a wheeze is a narrow line that lasts, breath noise is none.

Everything is a difference in decibels to neighbours in frequency or to the recording's own median, so that level and
smooth response of a stethoscope fall out; percentiles over frames, so that length says little.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from shared.transforms.picture import stft_power
from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Recording

RATE = 4000
FEATURES = 395

_FFT, _HOP = 512, 80  # 128 ms every 20 ms, 7.8 Hz a bin
_FLOOR_DB = 90.0
_GAP, _SIDE = 3, 12  # a line's own width, and the neighbourhood on either side, in bins
_STAY = 0.8  # share of a path that is carried on to the next frame
NARROW_HZ = np.geomspace(80, 1700, 11)
WIDE_HZ = (90, 180, 350, 600, 1000, 1700)
_SHORT, _LONG = 5, 15  # frames: 100 ms is the shortest wheeze, 300 ms a plain one
_HEIGHTS_DB = (3, 6, 9, 12)

Float64 = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@transform
def ridge_statistics(recording: Recording, _sheet: Sheet) -> FloatArray:
    """(395,) float32 in dB, shares and frames: how narrow, loud, lasting and where the lines of the spectrogram are.

    Expects 4 kHz. A recording shorter than a second is repeated. Raises ValueError when the rate is another one.
    """
    if recording.rate != RATE:
        raise ValueError("ridge_statistics needs 4 kHz")
    samples = np.resize(recording.samples, max(len(recording.samples), RATE))
    power = stft_power(samples, _FFT, _HOP).astype(np.float64) + 1e-10
    decibels = 10 * np.log10(power)
    decibels = np.maximum(decibels, decibels.max() - _FLOOR_DB)
    return np.concatenate([_described(power, decibels), _lasting(decibels)]).astype(np.float32)


def peaks(decibels: Float64) -> Float64:
    """(frames, bins): dB above the louder of both sides, -10 to 40; the slope of a spectrum is no peak."""
    bins = np.arange(decibels.shape[1])
    sums = np.cumsum(np.pad(decibels, ((0, 0), (1, 0))), axis=1)
    below, few_below = _mean(sums, bins - _GAP - _SIDE, bins - _GAP)
    above, few_above = _mean(sums, bins + _GAP + 1, bins + _GAP + 1 + _SIDE)
    below[:, few_below], above[:, few_above] = above[:, few_below], below[:, few_above]
    return np.clip(decibels - np.maximum(below, above), -10, 40)


def paths(heights: Float64) -> Float64:
    """(frames, bins): a running mean along the best path that moves at most one bin a frame, both ways the smaller."""
    return np.minimum(_forward(heights), _forward(heights[::-1])[::-1])


def _mean(
    sums: Float64, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> tuple[Float64, npt.NDArray[np.bool_]]:
    """Means over the bins from `first` to before `last`, and where fewer than three of them exist."""
    start, end = (np.clip(edge, 0, sums.shape[1] - 1) for edge in (first, last))
    return (sums[:, end] - sums[:, start]) / np.maximum(end - start, 1), end - start < 3


def _forward(heights: Float64) -> Float64:
    result = np.empty_like(heights)
    path = result[0] = heights[0]
    for frame in range(1, len(heights)):
        best = path.copy()
        np.maximum(best[1:], path[:-1], out=best[1:])
        np.maximum(best[:-1], path[1:], out=best[:-1])
        path = result[frame] = _STAY * best + (1 - _STAY) * heights[frame]
    return result


def _described(power: Float64, decibels: Float64) -> Float64:
    """(315,): nine statistics over pairs of frames of the 35 rows of `_rows`."""
    rows = _rows(power, peaks(decibels))
    rows = rows[:, : rows.shape[1] // 2 * 2].reshape(len(rows), -1, 2).mean(axis=2)
    percentiles = np.percentile(rows, [10, 50, 75, 90, 95, 98], axis=1)
    return np.concatenate([rows.mean(axis=1), *percentiles, rows.max(axis=1), rows.std(axis=1)])


def _rows(power: Float64, heights: Float64) -> Float64:
    """(35, frames): peak, path and level of ten bands; the best path, the second, its pitch; flatness and level."""
    tracked = paths(heights)
    edges = np.searchsorted(_bin_hertz(), NARROW_HZ)
    rows: list[Float64] = []
    for low, high in pairwise(edges):
        rows += [heights[:, low:high].max(axis=1), tracked[:, low:high].max(axis=1), _level(power[:, low:high])]
    inside, whole = tracked[:, edges[0] : edges[-1]], power[:, edges[0] : edges[-1]]
    best = inside.argmax(axis=1)
    pitch = 5 * np.log2(_bin_hertz()[best + edges[0]] / NARROW_HZ[0])
    flatness = 10 * (np.log10(whole).mean(axis=1) - np.log10(whole.mean(axis=1)))
    return np.array([*rows, inside.max(axis=1), _second(inside, best), pitch, flatness, _level(whole)])


def _level(power: Float64) -> Float64:
    """(frames,): dB over the recording's own median, -20 to 30."""
    level = 10 * np.log10(power.mean(axis=1))
    return np.asarray(np.clip(level - np.median(level), -20, 30))


def _second(tracked: Float64, best: Places) -> Float64:
    """(frames,): the best path more than five bins away from the best."""
    away = np.abs(np.arange(tracked.shape[1])[None, :] - best[:, None]) > 5
    return np.asarray(np.where(away, tracked, -20.0).max(axis=1))


def _lasting(decibels: Float64) -> Float64:
    """(80,): lines that stay in their bin for 100 ms and for 300 ms, by band, and how long any of them lasts."""
    bins = np.arange(decibels.shape[1])
    background, _ = _mean(np.cumsum(np.pad(decibels, ((0, 0), (1, 0))), axis=1), bins - _SIDE, bins + _SIDE + 1)
    short, long = (_smooth(decibels - background, frames) for frames in (_SHORT, _LONG))
    edges = np.searchsorted(_bin_hertz(), WIDE_HZ)
    bands = [short[:, low:high].max(axis=1) for low, high in pairwise(edges)]
    plain = [long[:, low:high].max(axis=1) for low, high in pairwise(edges)]
    found = [np.percentile(bands, [50, 75, 90, 95, 98, 100], axis=1).ravel()]
    found.append(np.percentile(plain, [50, 90, 98, 100], axis=1).ravel())
    for strongest in (np.max(bands, axis=0), np.max(bands[1:], axis=0)):
        found.append(np.percentile(strongest, [10, 25, 50, 75, 90, 95, 98]))
        found.append(np.array([figure for height in _HEIGHTS_DB for figure in _runs(strongest > height)]))
    return np.concatenate(found)


def _smooth(rows: Float64, frames: int) -> Float64:
    """Means over `frames` frames."""
    sums = np.cumsum(np.pad(rows, ((1, 0), (0, 0))), axis=0)
    return np.asarray((sums[frames:] - sums[:-frames]) / frames)


def _runs(above: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Share of the frames, and the longest run of them."""
    steps = np.diff(np.concatenate([[0], above.astype(np.int64), [0]]))
    lengths = np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)
    return float(above.mean()), float(lengths.max(initial=0))


def _bin_hertz() -> Float64:
    return np.arange(_FFT // 2 + 1, dtype=np.float64) * (RATE / _FFT)
