"""Spectrogram pictures as the cough document saved them with matplotlib's `specgram`."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.transforms.inferno import inferno
from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Recording

_SCALE = 2.0  # the document's Fs
AXES = (0.125, 0.12, 0.9, 0.89)  # left, top, right, bottom of the axes: matplotlib's default shares of a figure

Float64 = npt.NDArray[np.float64]


@transform
def specgram(
    recording: Recording, _sheet: Sheet, *, n_fft: int, overlap: int, height: int, width: int, top_db: float = 120.0
) -> FloatArray:
    """(3, height, width) float32 in [0, 1]: the coloured picture, white around its axes, low frequencies at the bottom.

    `plt.specgram(y, NFFT=n_fft, Fs=2, noverlap=overlap, cmap=inferno)` with the axes off, saved as a figure: power
    density in dB between its own minimum and maximum, drawn into the default axes. Ours, because a recording may hold
    digital silence: nothing lies further than `top_db` below the maximum. Resampled by Pillow (Hamming) where
    matplotlib 3.2 used its Hann kernel; a test bounds the difference.
    """
    decibels = specgram_decibels(recording.samples, n_fft, overlap)
    decibels = np.maximum(decibels, decibels.max() - top_db)
    span = max(float(np.ptp(decibels)), 1e-6)
    values = np.asarray((decibels - decibels.min()) / span, dtype=np.float32)[::-1]
    left, top, right, bottom = (round(share * side) for share, side in zip(AXES, (width, height) * 2, strict=True))
    drawn = Image.fromarray(np.ascontiguousarray(values)).resize((right - left, bottom - top), Image.Resampling.HAMMING)
    picture = np.ones((3, height, width), dtype=np.float32)
    picture[:, top:bottom, left:right] = inferno(np.asarray(drawn, dtype=np.float32))
    return picture


def specgram_decibels(samples: FloatArray, n_fft: int, overlap: int) -> Float64:
    """(n_fft/2 + 1, frames): matplotlib's one-sided power density in dB, symmetric Hann window, no padding at the end.

    A recording shorter than one window is padded with silence.
    """
    if len(samples) < n_fft:
        samples = np.pad(samples, (0, n_fft - len(samples)))
    window = np.hanning(n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[:: n_fft - overlap]
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1))).T / (_SCALE * np.square(window).sum())
    power[1:-1] *= 2
    return np.asarray(10 * np.log10(np.maximum(power, 1e-30)))
