"""Figures side by side with their intervals: sources, the card's own figures, and the shortcut controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes

from services.trainer.figures.canvas import INK, MARKERS, QUIET, WITH, WITHOUT, label, page
from shared.schemas import Interval

Kind = Literal["model", "card", "control"]
_COLOUR = {"model": WITHOUT, "card": QUIET, "control": WITH}
_MARKER = {"model": MARKERS[0], "card": MARKERS[2], "control": MARKERS[1]}
_WORDS = {"model": "the model here", "card": "the model on its card", "control": "shortcut control"}


@dataclass(frozen=True)
class Line:
    """One row: `interval` is None where the data hold one class only, and `note` says what is beside the name."""

    name: str
    interval: Interval | None
    kind: Kind = "model"
    note: str = ""


def forest(lines: Sequence[Line], quantity: str = "AUROC") -> str:
    """One row a line, top to bottom, point and 95 % interval, with a dashed line at chance (0.5)."""
    says = f"{quantity} with 95 % intervals. " + "; ".join(_said(line) for line in lines)
    with page(says, size=(9, 1.5 + 0.36 * len(lines))) as made:
        axes = made.at()
        axes.axvline(0.5, color=INK, linestyle="--", linewidth=1)
        for place, line in enumerate(lines):
            _row(axes, place, line)
        for kind in dict.fromkeys(line.kind for line in lines):
            axes.plot([], [], color=_COLOUR[kind], marker=_MARKER[kind], label=_WORDS[kind])
        axes.set_yticks(range(len(lines)), [_name(line) for line in lines])
        axes.set(xlim=(0, 1.3), ylim=(len(lines) - 0.5, -0.5), xticks=[0, 0.25, 0.5, 0.75, 1])
        axes.grid(visible=False, axis="y")
        label(axes, x=f"{quantity} (dashed: chance)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)
    return made.svg()


def _row(axes: Axes, place: int, line: Line) -> None:
    if line.interval is None:
        axes.text(0.5, place, " one class only: no figure", va="center", style="italic", color=QUIET)
        return
    middle = line.interval
    span = [[max(0.0, middle.value - middle.low)], [max(0.0, middle.high - middle.value)]]
    axes.errorbar(middle.value, place, xerr=span, color=_COLOUR[line.kind], marker=_MARKER[line.kind], capsize=3)
    axes.text(1.03, place, f"{middle.value:.2f} ({middle.low:.2f}–{middle.high:.2f})", va="center")


def _name(line: Line) -> str:
    return f"{line.name} {line.note}".strip()


def _said(line: Line) -> str:
    middle = line.interval
    figure = f"{middle.value:.2f} ({middle.low:.2f} to {middle.high:.2f})" if middle else "one class only"
    return f"{_WORDS[line.kind]}, {_name(line)}: {figure}"
