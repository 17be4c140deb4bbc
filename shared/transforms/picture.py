"""What X-rays and spectrograms share: resizing, handing over as a tensor; and the spectrogram itself."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Picture, Recording

_TOP_DB = 80.0
_SILENCE = 1e-10  # power: librosa's amin, keeps the logarithm of digital silence finite


def stft_power(samples: FloatArray, n_fft: int, hop: int) -> npt.NDArray[np.float32]:
    """Power of the short-time spectrum: (frames, n_fft/2 + 1), periodic Hann window, no padding at the ends."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[::hop]
    return np.square(np.abs(np.fft.rfft(frames * window, axis=1))).astype(np.float32)


@transform
def stft_picture(recording: Recording, _sheet: Sheet, *, n_fft: int, hop: int) -> Picture:
    """Spectrogram (n_fft/2 + 1, frames), low frequencies at the top, without padding at the ends.

    15 s at 4 kHz with window 256 and hop 64 give the 129 x 934 of the lung-sound document (HF_Lung's geometry).
    Decibels below the loudest point, cut at -80 dB and scaled to [0, 1]. A recording shorter than one window is
    padded with silence to one frame.
    """
    samples = recording.samples
    if len(samples) < n_fft:
        samples = np.pad(samples, (0, n_fft - len(samples)))
    decibels = 10 * np.log10(np.maximum(stft_power(samples, n_fft, hop), _SILENCE))
    scaled = np.clip((decibels - decibels.max()) / _TOP_DB + 1, 0, 1)
    return Picture(np.ascontiguousarray(scaled.T, dtype=np.float32))


@transform
def resize_picture(picture: Picture, _sheet: Sheet, *, height: int, width: int) -> Picture:
    """To exactly height x width, bilinear with antialiasing (Pillow, in float); the aspect ratio is not kept."""
    image = Image.fromarray(picture.pixels)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return Picture(np.clip(np.asarray(resized, dtype=np.float32), 0, 1))


@transform
def as_tensor(picture: Picture, _sheet: Sheet) -> FloatArray:
    """(1, height, width), float32 in [0, 1]."""
    return picture.pixels[np.newaxis]
