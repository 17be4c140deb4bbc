"""Where the lungs may lie in an X-ray: a rule of thumb to judge heat maps by. It segments nothing."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from shared.schemas import Step
from shared.transforms.chest import Mask, field, seen
from shared.transforms.pipeline import Sheet, run_steps
from shared.transforms.values import Picture

SIDE = 64
_LEAST = 0.04  # share of the picture; less is no lung field
_POINTS = 8  # a cell and side


def find(path: Path, media_type: str) -> Mask | None:
    """(64, 64) over the whole decoded picture: the dark field inside the body; None when there is none to speak of.

    Raises InputRejected as the decoder does.
    """
    sheet = Sheet()
    steps = [Step(transform="decode_image"), Step(transform="trim_frame")]
    picture: Picture = run_steps(path, media_type, steps, sheet)
    inside = field(picture)
    if inside.mean() < _LEAST:
        return None
    return spread(inside, seen(sheet.facts))


def spread(inside: Mask, box: tuple[float, float, float, float]) -> Mask:
    """A mask over a box (top, left, bottom, right; shares) as one (64, 64) over the whole."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    rows = np.floor((centres - box[0]) / (box[2] - box[0]) * len(inside)).astype(int)
    columns = np.floor((centres - box[1]) / (box[3] - box[1]) * inside.shape[1]).astype(int)
    within = (rows >= 0)[:, None] & (rows < len(inside))[:, None] & (columns >= 0) & (columns < inside.shape[1])
    picked = inside[np.clip(rows, 0, len(inside) - 1)][:, np.clip(columns, 0, inside.shape[1] - 1)]
    return np.asarray(picked & within)


def pack(inside: Mask) -> str:
    """As text for a pipe."""
    return np.packbits(inside).tobytes().hex()


def unpack(packed: str) -> Mask:
    """What `pack` made. Raises ValueError."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(packed), np.uint8))
    return bits.reshape(SIDE, SIDE).astype(bool)


def within(inside: Mask, box: tuple[float, float, float, float], cells: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """(rows, columns): which share of each cell over a box (top, left, bottom, right; shares) lies inside."""
    rows, columns = cells
    points = [
        np.clip(((np.arange(count * _POINTS) + 0.5) / (count * _POINTS) * (last - first) + first) * SIDE, 0, SIDE - 1)
        for count, first, last in ((rows, box[0], box[2]), (columns, box[1], box[3]))
    ]
    picked = inside[points[0].astype(int)][:, points[1].astype(int)]
    return np.asarray(picked.reshape(rows, _POINTS, columns, _POINTS).mean(axis=(1, 3)))
