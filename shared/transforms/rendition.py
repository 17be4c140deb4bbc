"""Pictures of an input for a page: the X-ray itself, a waveform, a spectrogram. No text, the same bytes every time."""

import io
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.schemas import Step
from shared.transforms.picture import stft_power
from shared.transforms.pipeline import run_steps
from shared.transforms.values import FloatArray, Picture, Recording

Kind = Literal["picture", "waveform", "spectrogram"]

_LONGEST_SIDE = 1024
_WIDTH, _HEIGHT = SPECTROGRAM_SIZE = 1200, 240
_INK = (47, 127, 209)  # contrast above 4 on white and on near-black
_MARGIN = 0.94
_TOP_DB = 80.0
_FFT = 512
# Dark to light through violet and orange, evenly rising in lightness: readable in gray and for the colour-blind.
_COLOURS = (
    (0, 0, 4),
    (40, 11, 84),
    (101, 21, 110),
    (159, 42, 99),
    (212, 72, 66),
    (245, 125, 21),
    (250, 193, 39),
    (252, 255, 164),
)


def render(path: Path, media_type: str, kind: Kind) -> bytes:
    """One stored input as PNG.

    `picture`: gray, as a screen would show it, longest side at most 1024. `waveform`: 1200 x 240, transparent ground.
    `spectrogram`: 1200 x 240, low frequencies below, 80 dB range. Raises InputRejected as the decoders do.
    """
    if kind == "picture":
        picture: Picture = run_steps(path, media_type, [Step(transform="decode_image")])
        return _png(_gray(picture))
    recording: Recording = run_steps(path, media_type, [Step(transform="decode_audio")])
    return _png(_waveform(recording.samples) if kind == "waveform" else _spectrogram(recording.samples))


def _gray(picture: Picture) -> Image.Image:
    image = Image.fromarray(np.asarray(picture.pixels * 255 + 0.5, dtype=np.uint8))
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    return image


def _waveform(samples: FloatArray) -> Image.Image:
    """Each column spans the lowest to the highest sample of its stretch, scaled to the loudest of all."""
    edges = np.linspace(0, len(samples), _WIDTH + 1).astype(int)[:-1]
    starts = np.minimum(edges, len(samples) - 1)
    scale = _HEIGHT / 2 * _MARGIN / max(float(np.abs(samples).max()), 1e-6)
    top = _HEIGHT / 2 - np.maximum.reduceat(samples, starts) * scale
    bottom = np.maximum(_HEIGHT / 2 - np.minimum.reduceat(samples, starts) * scale, top + 1.5)
    rows = np.arange(_HEIGHT)[:, None]
    cover = np.clip(np.minimum(rows + 1, bottom) - np.maximum(rows, top), 0, 1)
    pixels = np.empty((_HEIGHT, _WIDTH, 4), dtype=np.uint8)
    pixels[..., :3] = _INK
    pixels[..., 3] = cover * 255
    return Image.fromarray(pixels)


def _spectrogram(samples: FloatArray) -> Image.Image:
    padded = np.pad(samples, (0, max(0, _FFT - len(samples))))
    hop = max(1, (len(padded) - _FFT) // _WIDTH)
    decibels = 10 * np.log10(np.maximum(stft_power(padded, _FFT, hop), 1e-10)).T
    scaled = np.clip((decibels - decibels.max()) / _TOP_DB + 1, 0, 1)[::-1]
    image = Image.fromarray(np.ascontiguousarray(scaled)).resize((_WIDTH, _HEIGHT), Image.Resampling.BILINEAR)
    return Image.fromarray(_palette()[np.asarray(np.asarray(image) * 255, dtype=np.uint8)])


def _palette() -> npt.NDArray[np.uint8]:
    """(256, 3)."""
    stops = np.linspace(0, 255, len(_COLOURS))
    channels = [np.interp(np.arange(256), stops, channel) for channel in zip(*_COLOURS, strict=True)]
    return np.asarray(np.stack(channels, axis=-1), dtype=np.uint8)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=False)
    return file.getvalue()
