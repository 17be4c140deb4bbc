"""The 26 documented cough features, librosa's numbers from one spectrum.

Called one by one, librosa 0.11 makes five spectra and importing it compiles numba code (two seconds and a writable
cache, which a locked-down decoder does not have). The definitions are librosa's; a test holds the two together.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Recording

NAMES = (
    "chroma_stft",
    "rms",
    "spectral_centroid",
    "spectral_bandwidth",
    "rolloff",
    "zero_crossing_rate",
    *(f"mfcc{number}" for number in range(1, 21)),
)

_FFT, _HOP, _MELS, _MFCC = 2048, 512, 128, 20
_BINS = _FFT // 2 + 1
_TOGETHER = 16
_TINY = float(np.finfo(np.float32).tiny)
_ZERO = np.float32(1e-10)  # a sample this small counts as +0
_PITCH_LOW, _PITCH_HIGH, _PITCH_FLOOR = 150.0, 4000.0, 0.1

Float64 = npt.NDArray[np.float64]


@transform
def cough_features(recording: Recording, _sheet: Sheet) -> FloatArray:
    """(26,) float32 in the order of `NAMES`: the mean over frames of each feature.

    Frames of 2048 samples every 512, centred; chroma from the power spectrum with the tuning estimated; rms and
    zero_crossing_rate (share of samples) from the samples; centroid, bandwidth and 85 % rolloff in Hz from the
    magnitude; MFCC 1 to 20 of 128 Slaney mel bands in dB, floor 80 dB below the loudest.
    Source: part 1 of the cough classifier series; definitions: librosa 0.11 (McFee et al., SciPy 2015).
    """
    magnitude = _magnitude(recording.samples)
    power = magnitude**2
    centroid, bandwidth = _centroid_bandwidth(magnitude, recording.rate)
    head = (
        _chroma(power, recording.rate),
        _rms(recording.samples),
        centroid,
        bandwidth,
        _rolloff(magnitude, recording.rate),
        _zero_crossings(recording.samples),
    )
    return np.concatenate([head, _mfcc(power, recording.rate)]).astype(np.float32)


def _magnitude(samples: FloatArray) -> npt.NDArray[np.float32]:
    """(frames, bins). The transform runs in double and is stored in single precision, exactly as librosa does."""
    padded = np.pad(samples, _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    return np.abs(np.fft.rfft(frames * _hann(), axis=1).astype(np.complex64))


@lru_cache(maxsize=1)
def _hann() -> Float64:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)


def _centroid_bandwidth(magnitude: npt.NDArray[np.float32], rate: int) -> tuple[float, float]:
    """Mean centroid and bandwidth in Hz, by the first two moments of each frame's magnitude."""
    wide = magnitude.astype(np.float64)
    hertz = np.arange(_BINS) * (rate / _FFT)
    total = wide.sum(axis=1)
    total[total < _TINY] = 1  # a silent frame has centroid 0
    first = wide @ hertz / total
    second = wide @ hertz**2 / total
    return float(first.mean()), float(np.sqrt(np.maximum(second - first**2, 0)).mean())


def _rolloff(magnitude: npt.NDArray[np.float32], rate: int) -> float:
    """Mean frequency (Hz) below which 85 % of a frame's magnitude lie; sums in single precision, as librosa's."""
    below = np.cumsum(magnitude, axis=1)
    reached = below >= np.float32(0.85) * below[:, -1:]
    return float(reached.argmax(axis=1).mean() * rate / _FFT)


def _rms(samples: FloatArray) -> float:
    """Mean over frames of the root mean square, from sums over whole hops: a frame is four of them."""
    padded = np.pad(samples, _FFT // 2).astype(np.float64)
    hops = np.square(padded[: len(padded) // _HOP * _HOP]).reshape(-1, _HOP).sum(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(hops, _FFT // _HOP).sum(axis=1)
    return float(np.sqrt(frames / _FFT).mean())


def _zero_crossings(samples: FloatArray) -> float:
    """Mean share of the samples of a frame at which the sign changes; a frame's first sample never counts."""
    padded = np.pad(samples, _FFT // 2, mode="edge")
    negative = padded < -_ZERO
    crossed = np.concatenate([[0, 0], np.cumsum(negative[1:] != negative[:-1])])
    starts = np.arange(0, len(padded) - _FFT + 1, _HOP)
    return float((crossed[starts + _FFT] - crossed[starts + 1]).mean() / _FFT)


def _mfcc(power: npt.NDArray[np.float32], rate: int) -> Float64:
    """(20,) means over frames. The cosine transform is linear, so it is taken once, of the mean spectrum."""
    bands = np.concatenate([power[:, first:last] @ filters for first, last, filters in _mel_parts(rate)], axis=1)
    decibels = 10 * np.log10(np.maximum(bands, np.float32(1e-10)))
    mean: Float64 = np.maximum(decibels, decibels.max() - 80).mean(axis=0, dtype=np.float64)
    return np.asarray(_cosines() @ mean)


@lru_cache(maxsize=1)
def _cosines() -> Float64:
    """Orthonormal DCT-II, its first 20 rows: (20, 128)."""
    row, column = np.arange(_MFCC)[:, None], np.arange(_MELS)
    basis: Float64 = np.sqrt(2 / _MELS) * np.cos(np.pi * row * (2 * column + 1) / (2 * _MELS))
    basis[0] /= np.sqrt(2)
    return basis


@lru_cache(maxsize=8)
def _mel_parts(rate: int) -> tuple[tuple[int, int, npt.NDArray[np.float32]], ...]:
    """The filters, sixteen at a time, as (bins, 16) of the bins that they reach: triangles are mostly zeros."""
    parts = []
    for rows in np.split(_mel_filters(rate), _MELS // _TOGETHER):
        reached = np.flatnonzero(rows.any(axis=0))
        first, last = (int(reached[0]), int(reached[-1]) + 1) if len(reached) else (0, 1)
        parts.append((first, last, np.ascontiguousarray(rows[:, first:last].T)))
    return tuple(parts)


def _mel_filters(rate: int) -> npt.NDArray[np.float32]:
    """(128, bins): triangles of equal area on Slaney's scale (Auditory Toolbox, 1998), 0 Hz to half the rate."""
    mels = np.linspace(0, _hertz_to_mel(rate / 2), _MELS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mels - 15)))
    ramps = edges[:, None] - np.arange(_BINS) * (rate / _FFT)
    gaps = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-ramps[:-2] / gaps[:-1], ramps[2:] / gaps[1:])).astype(np.float32)
    return np.asarray(triangles * (2 / (edges[2:] - edges[:-2]))[:, None], dtype=np.float32)


def _hertz_to_mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + float(np.log(hertz / 1000) / np.log(6.4)) * 27


def _chroma(power: npt.NDArray[np.float32], rate: int) -> float:
    """Mean of the twelve pitch classes over all frames, each frame scaled to a maximum of 1."""
    raw = power @ _chroma_filters(rate, _tuning(power, rate)).T
    peak = raw.max(axis=1, keepdims=True).astype(np.float64)
    peak[peak < _TINY] = 1
    return float((raw / peak).mean())


@lru_cache(maxsize=256)
def _chroma_filters(rate: int, tuning: float) -> npt.NDArray[np.float32]:
    """(12, bins): Gaussians around the pitch classes, weighted around octave 5 (Ellis, Chroma analysis, 2007)."""
    a440 = 440.0 * 2.0 ** (tuning / 12)
    pitch = 12 * np.log2(np.linspace(0, rate, _FFT, endpoint=False)[1:] / (a440 / 16))
    pitch = np.concatenate([[pitch[0] - 18], pitch])
    width = np.concatenate([np.maximum(np.diff(pitch), 1.0), [1]])
    distance = np.remainder(pitch - np.arange(12)[:, None] + 126, 12) - 6
    bumps = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.sqrt(np.square(bumps).sum(axis=0))
    bumps *= np.exp(-0.5 * ((pitch / 12 - 5) / 2) ** 2)
    return np.ascontiguousarray(np.roll(bumps, -3, axis=0)[:, :_BINS], dtype=np.float32)


def _tuning(power: npt.NDArray[np.float32], rate: int) -> float:
    """Deviation from A440 in semitones, [-0.5, 0.5), steps of 0.01: the most frequent one among the stronger peaks.

    Rounding decides which bar of the histogram wins, so every step has the precision that librosa's has.
    """
    pitches, strengths = _peaks(power, rate)
    if not pitches.any():
        return 0.0
    pitches = pitches[strengths >= np.median(strengths)]
    residual = np.mod(12 * np.log2(pitches / 27.5), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def _peaks(power: npt.NDArray[np.float32], rate: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Frequencies (Hz) and heights of the spectral peaks between 150 and 4000 Hz, by parabolas through three bins.

    A peak is above a tenth of its frame's maximum (Smith, Sinusoidal peak interpolation, CCRMA).
    """
    hertz = np.arange(_BINS) * (rate / _FFT)
    inside = np.flatnonzero((hertz >= _PITCH_LOW) & (hertz < min(_PITCH_HIGH, rate / 2)))
    low, high = max(1, inside[0]), min(_BINS - 2, inside[-1])
    near = power[:, low - 1 : high + 2]
    floor = np.float32(_PITCH_FLOOR) * power.max(axis=1, keepdims=True)
    loud = np.where(near > floor, near, np.float32(0))
    frame, bin_ = np.nonzero((loud[:, 1:-1] > loud[:, :-2]) & (loud[:, 1:-1] >= loud[:, 2:]))
    before, at, after = near[frame, bin_], near[frame, bin_ + 1], near[frame, bin_ + 2]
    shift = _vertex(before, at, after)
    pitch = ((bin_ + low + shift) * float(rate) / _FFT).astype(np.float32)
    return pitch, at + np.float32(0.5) * ((after - before) / np.float32(2)) * shift


def _vertex(
    before: npt.NDArray[np.float32], at: npt.NDArray[np.float32], after: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Where the parabola through three neighbours has its top, in bins from the middle one; 0 when outside of them."""
    bend = (after + before).astype(np.float64) - 2 * at.astype(np.float64)
    slope = (after - before).astype(np.float64) / 2
    inside = np.abs(slope) < np.abs(bend)
    return np.where(inside, -slope / np.where(inside, bend, 1), 0).astype(np.float32)
