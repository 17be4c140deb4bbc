"""Steps that make X-rays of different collections alike: frames cut off, the lung field, local contrast."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Picture

_FLAT = 0.04  # spread between the 5th and 95th percentile of a row that shows nothing
_MOST = 0.25  # share of a side that may be cut off as frame
_SIDE = 64
_DEFAULT = (0.05, 0.06, 0.90, 0.94)  # top, left, bottom, right where no field is found
_LIMITS = ((0.0, 0.20), (0.0, 0.25), (0.70, 1.0), (0.75, 1.0))

Mask = npt.NDArray[np.bool_]


@transform
def trim_frame(picture: Picture, _sheet: Sheet) -> Picture:
    """Cut off rows and columns of one brightness at the edges (collimator, margins), at most a quarter a side."""
    top, bottom = _content(picture.pixels)
    left, right = _content(picture.pixels[top:bottom].T)
    return Picture(np.ascontiguousarray(picture.pixels[top:bottom, left:right]))


@transform
def lung_field(picture: Picture, _sheet: Sheet, *, margin: float) -> Picture:
    """Crop to the dark field inside the body, `margin` (share of the side) around it.

    The field: darker than the middle of the picture, not joined with the dark outside. Its box is bounded (top 0 to
    0.20, left 0 to 0.25, bottom 0.70 to 1, right 0.75 to 1), so that a wrong one costs little.
    """
    box = _box(_inside(_dark(picture.pixels)), margin)
    height, width = picture.pixels.shape
    top, left, bottom, right = (round(share * side) for share, side in zip(box, (height, width) * 2, strict=True))
    return Picture(np.ascontiguousarray(picture.pixels[top:bottom, left:right]))


@transform
def clahe(picture: Picture, _sheet: Sheet, *, tiles: int, clip: float, bins: int = 128) -> Picture:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), `tiles` x `tiles`, bilinear between them.

    First the brightness is stretched between its 1st and 99th percentile, so that the exposure does not count.
    `clip`: how many times the mean count a bin may hold; what is cut off is spread over all bins.
    """
    height, width = picture.pixels.shape
    low, high = np.percentile(picture.pixels, [1, 99])
    stretched = np.clip((picture.pixels - low) / max(float(high - low), 1e-3), 0, 1)
    places = np.minimum((stretched * bins).astype(np.int64), bins - 1)
    curves = np.stack(
        [
            np.stack([_curve(tile, clip, bins) for tile in np.array_split(row, tiles, axis=1)])
            for row in np.array_split(places, tiles, axis=0)
        ]
    )
    above, below, down = _between(height, tiles)
    before, after, across = _between(width, tiles)
    across = across[None, :]
    upper = _blend(curves[above[:, None], before, places], curves[above[:, None], after, places], across)
    lower = _blend(curves[below[:, None], before, places], curves[below[:, None], after, places], across)
    return Picture(np.ascontiguousarray(_blend(upper, lower, down[:, None]), dtype=np.float32))


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


def _curve(places: npt.NDArray[np.int64], clip: float, bins: int) -> FloatArray:
    """(bins,) new brightness of each bin: the clipped histogram, summed up."""
    counts = np.bincount(places.ravel(), minlength=bins).astype(np.float64)
    limit = clip * places.size / bins
    excess = np.maximum(counts - limit, 0).sum()
    summed = np.cumsum(np.minimum(counts, limit) + excess / bins)
    return np.asarray(summed / max(summed[-1], 1.0), dtype=np.float32)


def _between(length: int, tiles: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
    """For each place along a side: the tile before, the tile after, and how far it is on the way."""
    along = np.clip((np.arange(length) + 0.5) * tiles / length - 0.5, 0, tiles - 1)
    before = np.floor(along).astype(np.int64)
    return before, np.minimum(before + 1, tiles - 1), (along - before).astype(np.float32)


def _blend(first: FloatArray, second: FloatArray, share: FloatArray) -> FloatArray:
    return first + (second - first) * share
