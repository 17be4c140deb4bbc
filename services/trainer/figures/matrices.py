"""What the answers were: confusion, precision and recall matrices; true positives and misses over many models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from services.trainer.figures.canvas import INK, QUIET, SEQUENTIAL, WITH, WITHOUT, Floats, beside, label, page


@dataclass(frozen=True)
class Counts:
    """Answers at a threshold."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def table(self) -> Floats:
        """(truth, answer): row and column 0 without the finding, 1 with it."""
        return np.array([[self.tn, self.fp], [self.fn, self.tp]], dtype=np.float64)


def matrices(counts: Counts, present: str, absent: str) -> str:
    """Three panels: counts, the share of each answer that is right (precision), of each truth found (recall)."""
    table = counts.table
    says = (
        f"Confusion matrix. True {present}: {counts.tp} flagged, {counts.fn} missed. "
        f"True {absent}: {counts.tn} not flagged, {counts.fp} flagged wrongly."
    )
    with page(says, 1, 3, (11, 3.7)) as made:
        _matrix(made.at(0, 0), table, "Counts", (absent, present), "{:.0f}")
        _matrix(made.at(0, 1), _shares(table, 0), "Precision: columns add to 1", (absent, present), "{:.2f}")
        _matrix(made.at(0, 2), _shares(table, 1), "Recall: rows add to 1", (absent, present), "{:.2f}")
    return made.svg()


def model_bars(names: Sequence[str], found: Sequence[int], missed: Sequence[int]) -> str:
    """True positives and false negatives of each model, side by side: one bar a model, as long as its positives."""
    says = "Found and missed positives. " + "; ".join(
        f"{name}: {tp} found, {fn} missed" for name, tp, fn in zip(names, found, missed, strict=True)
    )
    with page(says, size=(8, 1.5 + 0.42 * len(names))) as made:
        axes = made.at()
        places = np.arange(len(names))[::-1]
        axes.barh(places, found, 0.62, color=WITHOUT, label="found (true positives)")
        axes.barh(places, missed, 0.62, left=found, color=WITH, hatch="///", label="missed (false negatives)")
        for place, tp, fn in zip(places, found, missed, strict=True):
            beside(axes, f"{tp} / {fn}", tp + fn, place)
        axes.set_yticks(places, list(names))
        axes.set_xlim(0, 1.18 * max(1, *(tp + fn for tp, fn in zip(found, missed, strict=True))))
        axes.grid(visible=False, axis="y")
        label(axes, x="positives in the data")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return made.svg()


def _shares(table: Floats, axis: int) -> Floats:
    """Divided by the sums along an axis; an answer that was never given has no share."""
    sums = table.sum(axis=axis, keepdims=True)
    shares: Floats = np.divide(table, sums, out=np.full_like(table, np.nan), where=sums > 0)
    return shares


def _matrix(axes: Axes, table: Floats, title: str, names: tuple[str, str], form: str) -> None:
    top = 1.0 if np.nanmax(table) <= 1 else float(np.nanmax(table))
    axes.imshow(table, cmap=SEQUENTIAL, vmin=0, vmax=top, aspect="auto")
    for row, column in np.ndindex(2, 2):
        share = table[row, column]
        shown = "none" if np.isnan(share) else form.format(share)
        # White on the dark lower part of cividis, black above it; on an empty cell the page's own ink.
        colour = INK if np.isnan(share) else "white" if share < 0.45 * top else "black"
        axes.text(column, row, shown, ha="center", va="center", fontsize=15, color=colour)
    axes.set_xticks([0, 1], [f"not flagged\n({names[0]})", f"flagged\n({names[1]})"])
    axes.set_yticks([0, 1], list(names), rotation=90, va="center")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set(visible=True, color=QUIET)
    label(axes, title, "answer", "truth")
