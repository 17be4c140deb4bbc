"""Steps that make X-rays of different collections alike: frames cut off, the lung field, local contrast."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Picture

_FLAT = 0.04  # spread between the 5th and 95th percentile of a row that shows nothing
_MOST = 0.25  # share of a side that may be cut off as frame
_SIDE = 64
_DEFAULT = (0.05, 0.06, 0.90, 0.94)  # top, left, bottom, right where no field is found
_DEVIATIONS = 6  # from black to white; what is farther than three from the mean is cut
_LIMITS = ((0.0, 0.20), (0.0, 0.25), (0.70, 1.0), (0.75, 1.0))

SEEN = ("seen_top", "seen_left", "seen_bottom", "seen_right")
_WHOLE = (0.0, 0.0, 1.0, 1.0)

Mask = npt.NDArray[np.bool_]


@transform
def trim_frame(picture: Picture, sheet: Sheet) -> Picture:
    """Cut off rows and columns of one brightness at the edges (collimator, margins), at most a quarter a side.

    Facts: as `lung_field`.
    """
    top, bottom = _content(picture.pixels)
    left, right = _content(picture.pixels[top:bottom].T)
    return _cut(picture, sheet, top, left, bottom, right)


@transform
def lung_field(picture: Picture, sheet: Sheet, *, margin: float) -> Picture:
    """Crop to the dark field inside the body, `margin` (share of the side) around it.

    The field: darker than the middle of the picture, not joined with the dark outside. Its box is bounded (top 0 to
    0.20, left 0 to 0.25, bottom 0.70 to 1, right 0.75 to 1), so that a wrong one costs little. Facts: what is left of
    the decoded picture (`SEEN`: top, left, bottom, right as shares of its sides).
    """
    box = _box(field(picture), margin)
    height, width = picture.pixels.shape
    top, left, bottom, right = (round(share * side) for share, side in zip(box, (height, width) * 2, strict=True))
    return _cut(picture, sheet, top, left, bottom, right)


@transform
def local_contrast(picture: Picture, _sheet: Sheet, *, smooth: float, reach: float, floor: float) -> Picture:
    """Blur, then each point less the mean around it, in deviations around it: neither exposure nor sharpness counts.

    `smooth`: the blur's deviation in pixels, so that fine grain and edge enhancement of a device are gone; `reach`: the
    deviation in pixels of what "around" means; `floor`: the least deviation, as a share of the picture's own range
    (1st to 99th percentile). 0.5 is the mean, three deviations fill [0, 1].
    """
    soft = around(picture.pixels, smooth)
    low, high = np.percentile(soft, [1, 99])
    scaled = np.clip((soft - low) / max(float(high - low), 1e-3), 0, 1)
    rest = scaled - around(scaled, reach)
    spread = np.sqrt(around(np.square(rest), reach))
    return Picture(np.clip(0.5 + rest / (spread + floor) / _DEVIATIONS, 0, 1).astype(np.float32))


def field(picture: Picture) -> Mask:
    """(64, 64): the dark field inside the body, darker than the middle and not joined with the dark outside."""
    return _inside(_dark(picture.pixels))


def seen(facts: Mapping[str, str | float]) -> tuple[float, float, float, float]:
    """What the steps left of the decoded picture: top, left, bottom, right as shares of its sides."""
    top, left, bottom, right = (float(facts.get(name, whole)) for name, whole in zip(SEEN, _WHOLE, strict=True))
    return top, left, bottom, right


def around(pixels: FloatArray, deviation: float) -> FloatArray:
    """Gaussian mean about each point (height, width); beyond the edges there is nothing, so nothing weighs there."""
    rows, columns = (_bell(length, deviation) for length in pixels.shape)
    return np.asarray(rows @ pixels @ columns.T, dtype=np.float32)


def _cut(picture: Picture, sheet: Sheet, top: int, left: int, bottom: int, right: int) -> Picture:
    height, width = picture.pixels.shape
    was = seen(sheet.facts)
    tall, wide = (was[2] - was[0]) / height, (was[3] - was[1]) / width
    now = (was[0] + top * tall, was[1] + left * wide, was[0] + bottom * tall, was[1] + right * wide)
    sheet.facts |= dict(zip(SEEN, now, strict=True))
    return Picture(np.ascontiguousarray(picture.pixels[top:bottom, left:right]))


def _content(pixels: FloatArray) -> tuple[int, int]:
    """First and last + 1 row that shows something."""
    low, high = np.percentile(pixels[:, :: max(1, pixels.shape[1] // 256)], [5, 95], axis=1)
    shown = np.flatnonzero(high - low > _FLAT)
    count = len(pixels)
    if not len(shown):
        return 0, count
    return min(int(shown[0]), round(count * _MOST)), max(int(shown[-1]) + 1, round(count * (1 - _MOST)))


def _dark(pixels: FloatArray) -> Mask:
    """(64, 64): what is darker than the middle of the picture."""
    small = np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX))
    middle = small[_SIDE // 6 : -_SIDE // 6, _SIDE // 6 : -_SIDE // 6]
    low, high = np.percentile(middle, [5, 95])
    return np.asarray(small < (low + high) / 2)


def _inside(dark: Mask) -> Mask:
    """Without what is joined with the picture's edge."""
    outside = np.zeros_like(dark)
    outside[[0, -1]], outside[:, [0, -1]] = dark[[0, -1]], dark[:, [0, -1]]
    for _ in range(_SIDE):
        grown = outside.copy()
        grown[1:] |= outside[:-1]
        grown[:-1] |= outside[1:]
        grown[:, 1:] |= outside[:, :-1]
        grown[:, :-1] |= outside[:, 1:]
        outside = grown & dark
    return dark & ~outside


def _box(field: Mask, margin: float) -> tuple[float, ...]:
    """(top, left, bottom, right) as shares of the sides."""
    if field.mean() < 0.04:
        return _DEFAULT
    rows, columns = np.nonzero(field)
    edges = (
        np.percentile(rows, 2) / _SIDE - margin,
        np.percentile(columns, 2) / _SIDE - margin,
        (np.percentile(rows, 98) + 1) / _SIDE + margin,
        (np.percentile(columns, 98) + 1) / _SIDE + margin,
    )
    return tuple(float(np.clip(edge, *limits)) for edge, limits in zip(edges, _LIMITS, strict=True))


@cache
def _bell(length: int, deviation: float) -> FloatArray:
    """(length, length) weights; each row sums to 1."""
    places = np.arange(length)
    weights = np.exp(-np.square(places[:, None] - places) / (2 * deviation**2))
    return np.asarray(weights / weights.sum(1, keepdims=True), dtype=np.float32)
