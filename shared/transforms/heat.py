"""A heat map as a picture to lay over another: what raised the score in orange, what lowered it in blue."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

Box = tuple[float, float, float, float]

_RAISED, _LOWERED = (255, 140, 0), (60, 140, 255)  # told apart on gray, also by the colour-blind
_STRONGEST = 0.85
_FINER = 16


def overlay(values: npt.NDArray[np.float64], box: Box, size: tuple[int, int]) -> bytes:
    """A PNG of size (width, height), transparent where nothing moved the score.

    `values` (rows, columns), row 0 on top, lie in the box (top, left, bottom, right; shares of the picture, which may
    reach beyond it). The strongest of them is nearly opaque.
    """
    width, height = size
    fine = _fine(values)
    rows = _places(height, box[0], box[2], len(fine))
    columns = _places(width, box[1], box[3], fine.shape[1])
    drawn = fine[np.maximum(rows, 0)][:, np.maximum(columns, 0)]
    drawn = np.where((rows >= 0)[:, None] & (columns >= 0)[None, :], drawn, 0)
    pixels = np.empty((height, width, 4), dtype=np.uint8)
    pixels[..., :3] = np.where((drawn > 0)[..., None], _RAISED, _LOWERED)
    pixels[..., 3] = np.abs(drawn) * 255 * _STRONGEST
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def _fine(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Smoothed between the cells, -1 to 1."""
    scaled = (values / max(float(np.abs(values).max()), 1e-12)).astype(np.float32)
    rows, columns = values.shape
    image = Image.fromarray(scaled).resize((columns * _FINER, rows * _FINER), Image.Resampling.BILINEAR)
    return np.asarray(np.clip(np.asarray(image), -1, 1))


def _places(length: int, first: float, last: float, count: int) -> npt.NDArray[np.int64]:
    """Which of `count` parts of the span from `first` to `last` each of `length` pixels shows; -1: none."""
    shares = ((np.arange(length) + 0.5) / length - first) / max(last - first, 1e-9)
    places = np.floor(shares * count).astype(np.int64)
    return np.where((places >= 0) & (places < count), places, -1)
