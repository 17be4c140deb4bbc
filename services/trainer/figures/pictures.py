"""Grids of sample pictures, one row a (source, label)."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from services.trainer.figures.canvas import QUIET, page

_SIDE = 1.55


def grid(rows: Mapping[str, Sequence[npt.NDArray[np.floating]]]) -> str:
    """Pictures (height, width) in [0, 1], 1 = white, in rows named by their key; each row may hold another number."""
    columns = max(len(pictures) for pictures in rows.values())
    says = "Sample pictures. " + "; ".join(f"{name}: {len(pictures)}" for name, pictures in rows.items())
    with page(says, len(rows), columns, (_SIDE * columns + 0.4, (_SIDE + 0.25) * len(rows))) as made:
        for row, (name, pictures) in enumerate(rows.items()):
            for column in range(columns):
                axes = made.at(row, column)
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                axes.grid(visible=False)
                if column < len(pictures):
                    axes.imshow(pictures[column], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            made.at(row, 0).set_title(name, fontsize=10, color=QUIET)
    return made.svg()
