"""An input in pieces that can be taken away: cells of a picture, or groups of features."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.runtimes import Floats
from shared.transforms.chest import around

Masks = NDArray[np.bool_]
Region = tuple[float, float, float, float]

MOST_CELLS = 144
_SIDES = (6, 24)


@dataclass(frozen=True, eq=False)
class Puzzle:
    """`tensor` and `background` float32 of the card's shape; `pieces` says of each number to which piece it belongs.

    `pieces` is broadcast over the tensor; `count` in it means to none: such a number always stays.
    """

    tensor: Floats
    background: Floats
    pieces: NDArray[np.int64]
    count: int

    def without(self, removed: Masks) -> Floats:
        """(n, *shape) inputs from (n, count): where True, the background stands in a piece's place."""
        never = np.zeros((len(removed), 1), dtype=bool)
        gone = np.concatenate([removed, never], axis=1)[:, self.pieces]
        return np.ascontiguousarray(np.where(gone, self.background, self.tensor), dtype=np.float32)


@dataclass(frozen=True)
class Grid:
    """Cells over a region (top, left, bottom, right; shares) of a picture; cells are numbered row by row."""

    rows: int
    columns: int
    region: Region

    def pieces(self, height: int, width: int) -> NDArray[np.int64]:
        """(1, height, width)."""
        top, left, bottom, right = self.region
        rows = np.floor(((np.arange(height) + 0.5) / height - top) / (bottom - top) * self.rows).astype(np.int64)
        columns = np.floor(((np.arange(width) + 0.5) / width - left) / (right - left) * self.columns).astype(np.int64)
        inside = ((rows >= 0) & (rows < self.rows))[:, None] & ((columns >= 0) & (columns < self.columns))
        return np.where(inside, rows[:, None] * self.columns + columns, self.rows * self.columns)[np.newaxis]


def grid(shape: Sequence[int], region: Region) -> Grid:
    """As many cells as may be, nearly square, over a region of a picture (channels, height, width)."""
    height, width = shape[1] * (region[2] - region[0]), shape[2] * (region[3] - region[1])
    rows = min(max(round(math.sqrt(MOST_CELLS * height / width)), _SIDES[0]), _SIDES[1])
    return Grid(min(rows, shape[1]), min(MOST_CELLS // rows, shape[2]), region)


def of_picture(tensor: Floats, cells: Grid) -> Puzzle:
    """Cells of a picture (channels, height, width); in their place stands the picture, blurred over a cell."""
    _, height, width = tensor.shape
    size = math.sqrt(height * width * _area(cells.region) / (cells.rows * cells.columns))
    blurred = np.stack([around(channel, size) for channel in tensor])
    return Puzzle(tensor, blurred, cells.pieces(height, width), cells.rows * cells.columns)


def of_features(tensor: Floats, background: Floats, groups: Sequence[Sequence[int]]) -> Puzzle:
    """Groups of the features (count,); in their place stands the background, usually the training data's mean."""
    pieces = np.full(tensor.shape, len(groups), dtype=np.int64)
    for number, places in enumerate(groups):
        pieces[list(places)] = number
    return Puzzle(tensor, background, pieces, len(groups))


def _area(region: Region) -> float:
    return (region[2] - region[0]) * (region[3] - region[1])
