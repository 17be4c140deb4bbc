"""Log-mel spectrograms as YAMNet reads them, of a lung sound at its own and at double speed, beside its ridges.

A wheeze lies between 100 and 1000 Hz, at the lower edge of what a network for speech and music tells apart; played
faster it moves into the middle.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from shared.transforms.audio import resample
from shared.transforms.pipeline import Sheet, transform
from shared.transforms.ridges import FEATURES, RATE, ridge_statistics
from shared.transforms.values import FloatArray, Recording

BANDS = 64
FRAMES = (1504, 752)
"""10 ms each, 15 s and 7.5 s: what the sound fills at the two speeds. Whole multiples of the network's stride."""
FRAME_S = 0.01
SECONDS = 15.0
"""Of a recording that are heard; a shorter one is repeated."""
SIZE = FEATURES + BANDS * sum(FRAMES)

_HEARD_AT = 16_000  # Hz: the network's own rate
_WINDOW, _HOP, _FFT = 400, 160, 512
_LOW, _HIGH = 125.0, 7500.0
_OFFSET = 0.001
_LEVEL = 0.05  # root mean square, full scale = 1


@transform
def ridges_and_mels(recording: Recording, sheet: Sheet) -> FloatArray:
    """(SIZE,) float32: the 395 of `ridge_statistics`, then log-mel (1504, 64) at speed 1 and (752, 64) at speed 2.

    Expects 4 kHz; a shorter recording is repeated. Raises ValueError when the rate is another one.
    """
    ridges = ridge_statistics(recording, sheet)
    mels = [_log_mel(_faster(recording, speed), frames).ravel() for speed, frames in enumerate(FRAMES, 1)]
    return np.concatenate([ridges, *mels]).astype(np.float32)


def _faster(recording: Recording, speed: int) -> FloatArray:
    """Samples at 16 kHz of the sound played so many times faster, at one level."""
    samples = resample(Recording(recording.samples, RATE), Sheet(), rate=_HEARD_AT // speed).samples
    return np.asarray(samples / (np.sqrt(np.square(samples).mean()) + 1e-9) * _LEVEL, dtype=np.float32)


def _log_mel(samples: FloatArray, frames: int) -> FloatArray:
    """(frames, 64): natural logarithm of mel-weighted magnitudes, as AudioSet's networks were trained on."""
    heard = np.resize(samples, (frames - 1) * _HOP + _WINDOW)
    pieces = np.lib.stride_tricks.sliding_window_view(heard, _WINDOW)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    magnitudes = np.abs(np.fft.rfft(pieces * window, _FFT, axis=1))
    return np.log(magnitudes @ _weights() + _OFFSET).astype(np.float32)


@cache
def _weights() -> npt.NDArray[np.float64]:
    """(257, 64): triangles of equal height on the HTK mel scale."""
    edges = np.linspace(_mel(np.array(_LOW)), _mel(np.array(_HIGH)), BANDS + 2)
    bins = _mel(np.linspace(0, _HEARD_AT / 2, _FFT // 2 + 1))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))
    weights[0] = 0  # no constant part
    return np.asarray(weights)


def _mel(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))
