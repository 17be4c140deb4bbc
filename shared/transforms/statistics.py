"""Statistics over the frames of a cough, made so that a recording's device and cut say little.

Everything is at 8 kHz (a telephone's band, whatever the source), without the silence at both ends, at one level.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Recording

RATE = 8000
_FFT, _HOP = 256, 80  # 32 ms every 10 ms
_BANDS, _COEFFICIENTS, _WIDTH = 40, 20, 9
_FLOOR, _RANGE_DB = 1e-9, 80.0
_BLOCK, _MARGIN = 80, 5  # samples a block, blocks that stay before the first and after the last sound
_LEVEL, _LEVEL_BLOCK = 0.1, 800
_CONTRAST_HZ = (0, 200, 400, 800, 1600, 3200, 4001)
_ON_DB, _SHORTEST = 20.0, 3  # a burst: frames within 20 dB of the loudest, at least 30 ms
_MODULATION_HZ = (0, 1, 2, 4, 8, 16, 32, 50)

Float64 = npt.NDArray[np.float64]


@transform
def trim_silence(recording: Recording, sheet: Sheet, *, below: float) -> Recording:
    """Without what is more than `below` dB under the loudest 10 ms, at both ends; 50 ms stay before and after.

    Facts: `leading_silence` and `trailing_silence` (seconds). How a collector cut its files is no sign of disease.
    """
    size = max(1, recording.rate * _BLOCK // RATE)
    powers = _block_powers(recording.samples, size)
    loud = np.flatnonzero(powers >= powers.max() * 10 ** (-below / 10))
    first, last = max(0, int(loud[0]) - _MARGIN), int(loud[-1]) + 1 + _MARGIN
    kept = recording.samples[first * size : last * size]
    trailing = max(0, len(recording.samples) - last * size) / recording.rate
    sheet.facts |= {"leading_silence": first * size / recording.rate, "trailing_silence": trailing}
    return Recording(kept, recording.rate)


@transform
def normalise_level(recording: Recording, _sheet: Sheet) -> Recording:
    """The loudest tenth of a second gets a root mean square of 0.1; samples may pass full scale."""
    powers = _block_powers(recording.samples, max(1, recording.rate * _LEVEL_BLOCK // RATE))
    gain = _LEVEL / max(1e-6, float(np.sqrt(powers.max())))
    return Recording((recording.samples * gain).astype(np.float32), recording.rate)


@transform
def cough_statistics(recording: Recording, _sheet: Sheet, *, groups: list[str]) -> FloatArray:
    """(features,) float32: the `groups` one after the other, each described with `GROUPS`.

    Expects 8 kHz. Frames of 256 samples every 80, centred; mel bands and MFCC after Slaney, as librosa has them.
    Raises ValueError when the rate is another one.
    """
    if recording.rate != RATE:
        raise ValueError("cough_statistics needs 8 kHz")
    frames = Frames(recording.samples)
    return np.concatenate([GROUPS[name](frames) for name in groups]).astype(np.float32)


class Frames:
    """What all groups are computed from. `magnitude`, `power`: (bins, frames); `mel`, `mfcc`: dB; `level`: dB."""

    def __init__(self, samples: FloatArray) -> None:
        padded = np.pad(samples.astype(np.float64), _FFT // 2)
        self.windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
        self.magnitude: Float64 = np.abs(np.fft.rfft(self.windows * _hann(), axis=1)).T
        self.power: Float64 = self.magnitude**2
        mel = 10 * np.log10(np.maximum(_mel_filters() @ self.power, _FLOOR))
        self.mel: Float64 = np.maximum(mel, mel.max() - _RANGE_DB)
        self.mfcc: Float64 = _cosines() @ self.mel
        self.level: Float64 = 10 * np.log10(np.maximum(np.square(self.windows).mean(axis=1), _FLOOR))


def summary(rows: Float64) -> Float64:
    """Of each row of (rows, frames): mean, deviation, skewness, 10th, 50th and 90th percentile, all rows of each."""
    mean, deviation = rows.mean(axis=1), rows.std(axis=1)
    skewness = ((rows - mean[:, None]) ** 3).mean(axis=1) / np.maximum(deviation, 1e-3) ** 3
    return np.concatenate([mean, deviation, skewness, *np.percentile(rows, [10, 50, 90], axis=1)])


def delta(rows: Float64) -> Float64:
    """Slope per frame by regression over nine frames; the first and last four repeat their neighbour's."""
    half = _WIDTH // 2
    if rows.shape[1] < _WIDTH:
        return np.zeros_like(rows)
    steps = np.arange(-half, half + 1)
    slopes = np.lib.stride_tricks.sliding_window_view(rows, _WIDTH, axis=1) @ (steps / np.square(steps).sum())
    return np.pad(slopes, ((0, 0), (half, half)), mode="edge")


def shape(frames: Frames) -> Float64:
    """(6, frames): centroid, bandwidth, 85 % roll-off (Hz), flatness (dB), zero crossings (share), flux (dB)."""
    hertz = np.arange(_FFT // 2 + 1) * (RATE / _FFT)
    total = np.maximum(frames.magnitude.sum(axis=0), 1e-12)
    centroid = hertz @ frames.magnitude / total
    bandwidth = np.sqrt(np.maximum(hertz**2 @ frames.magnitude / total - centroid**2, 0))
    rolloff = hertz[(np.cumsum(frames.magnitude, axis=0) >= 0.85 * total).argmax(axis=0)]
    safe = np.maximum(frames.power, 1e-10)
    flatness = 10 * (np.log10(safe).mean(axis=0) - np.log10(safe.mean(axis=0)))
    crossings = np.diff(np.signbit(frames.windows), axis=1).mean(axis=1)
    flux = np.maximum(np.diff(frames.mel, axis=1, prepend=frames.mel[:, :1]), 0).mean(axis=0)
    return np.stack([centroid, bandwidth, rolloff, flatness, crossings, flux])


def contrast(frames: Frames) -> Float64:
    """(6, frames): upper over lower fifth of the magnitudes of each octave band, dB (after Jiang et al. 2002)."""
    hertz = np.arange(_FFT // 2 + 1) * (RATE / _FFT)
    rows = []
    for low, high in pairwise(_CONTRAST_HZ):
        band = np.sort(frames.magnitude[(hertz >= low) & (hertz < high)], axis=0)
        count = max(1, round(len(band) / 5))
        rows.append(20 * np.log10((band[-count:].mean(axis=0) + 1e-7) / (band[:count].mean(axis=0) + 1e-7)))
    return np.stack(rows)


def envelope(frames: Frames) -> Float64:
    """(23,): bursts (number, length, rise, fall), spread of the level, where the energy lies, modulation spectrum."""
    bursts = _bursts(frames.level)
    lengths = np.array([end - start for start, end in bursts], dtype=np.float64)
    rises = [float(frames.level[start:end].argmax()) + 1 for start, end in bursts]
    falls = [_fall(frames.level[start:end]) for start, end in bursts]
    within = (frames.level > frames.level.max() - _ON_DB).mean()
    counts = [len(bursts), within, lengths.mean(), lengths.max(), lengths.std(), np.mean(rises), np.mean(falls)]
    below = np.percentile(frames.level - frames.level.max(), [5, 10, 25, 50, 75, 90])
    return np.concatenate([counts, [np.std(falls)], below, _concentration(frames.level), _modulation(frames.level)])


GROUPS: dict[str, Callable[[Frames], Float64]] = {
    "mfcc": lambda frames: summary(frames.mfcc),  # 120: statistic by statistic, 20 coefficients each
    "delta": lambda frames: summary(delta(frames.mfcc)),  # 120
    "delta2": lambda frames: summary(delta(delta(frames.mfcc))),  # 120
    "mel": lambda frames: summary(frames.mel),  # 240
    "shape": lambda frames: summary(shape(frames)),  # 36
    "contrast": lambda frames: summary(contrast(frames)),  # 36
    "envelope": envelope,  # 23
}

# Rows that `summary` tells of, for the groups that it makes.
ROWS = {"mfcc": 20, "delta": 20, "delta2": 20, "mel": 40, "shape": 6, "contrast": 6}


def _block_powers(samples: FloatArray, size: int) -> Float64:
    """Mean square of each whole block, or of all samples when they fill none."""
    size = min(size, len(samples))
    count = len(samples) // size
    return np.asarray(np.square(samples[: count * size], dtype=np.float64).reshape(count, size).mean(axis=1))


def _bursts(level: Float64) -> list[tuple[int, int]]:
    """Start and end of each run of loud frames, longest runs only; the whole recording when there is none."""
    loud = np.concatenate([[0], (level > level.max() - _ON_DB).astype(np.int64), [0]])
    starts, ends = np.flatnonzero(np.diff(loud) == 1), np.flatnonzero(np.diff(loud) == -1)
    runs = [(int(start), int(end)) for start, end in zip(starts, ends, strict=True) if end - start >= _SHORTEST]
    return runs or [(0, len(level))]


def _fall(level: Float64) -> float:
    """dB a frame from the top of a burst to its end."""
    top = int(level.argmax())
    return float((level[top] - level[-1]) / max(1, len(level) - top))


def _concentration(level: Float64) -> Float64:
    """Deviation of the energy in time (frames), the same and its centre as shares of the length."""
    share = 10 ** (level / 10)
    share /= share.sum()
    time = np.arange(len(level))
    centre = float(share @ time)
    spread = float(np.sqrt(share @ np.square(time - centre)))
    return np.array([spread, centre / len(level)])


def _modulation(level: Float64) -> Float64:
    """Share of the amplitude's spectrum in seven bands from 0 to 50 Hz; the first ten seconds count."""
    amplitude = 10 ** (level / 20)
    spectrum = np.square(np.abs(np.fft.rfft(amplitude - amplitude.mean(), 1024)))
    spectrum /= max(1e-12, float(spectrum.sum()))
    hertz = np.fft.rfftfreq(1024, _HOP / RATE)
    bands = pairwise(_MODULATION_HZ)
    return np.array([spectrum[(hertz >= low) & (hertz < high)].sum() for low, high in bands])


@lru_cache(maxsize=1)
def _hann() -> Float64:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)


@lru_cache(maxsize=1)
def _mel_filters() -> Float64:
    """(40, bins): Slaney's triangles of equal area, 0 Hz to 4 kHz."""
    mels = np.linspace(0, 15 + np.log(RATE / 2000) / np.log(6.4) * 27, _BANDS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mels - 15)))
    ramps = edges[:, None] - np.arange(_FFT // 2 + 1) * (RATE / _FFT)
    gaps = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-ramps[:-2] / gaps[:-1], ramps[2:] / gaps[1:]))
    return np.asarray(triangles * (2 / (edges[2:] - edges[:-2]))[:, None])


@lru_cache(maxsize=1)
def _cosines() -> Float64:
    """Orthonormal DCT-II, its first 20 rows: (20, 40)."""
    row, column = np.arange(_COEFFICIENTS)[:, None], np.arange(_BANDS)
    basis: Float64 = np.sqrt(2 / _BANDS) * np.cos(np.pi * row * (2 * column + 1) / (2 * _BANDS))
    basis[0] /= np.sqrt(2)
    return basis
