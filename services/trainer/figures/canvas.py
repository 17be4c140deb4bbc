"""One look for all figures: text stays text, ink follows the page's light or dark, colours safe for the colour-blind.

Figures are drawn with three stand-in colours that no data use; in the SVG they become CSS variables with a fallback,
so that a figure inlined in a report follows its page and a figure on its own is dark on nothing.
"""

import hashlib
import html
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

INK, QUIET, LINE = "#010203", "#040506", "#070809"
_THEME = {INK: "var(--ink, #14222b)", QUIET: "var(--quiet, #4a5b67)", LINE: "var(--line, #cfd8dd)"}

# After Okabe and Ito (2008), shifted until each holds 3:1 on white and on a dark page; markers and hatches tell them
# apart without colour.
WITHOUT, WITH = "#1b7fbd", "#d55e00"
COLOURS = (WITHOUT, WITH, "#009e73", "#b8639a", "#a17800", "#3f8fc4", "#7a7a7a")
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 2)))
SEQUENTIAL = "cividis"

_FONT = "DejaVu Sans"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": _FONT,
    "font.size": 11,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.titlecolor": INK,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2,
    "hatch.color": INK,
    "hatch.linewidth": 0.7,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_PIXELS_A_INCH = 96


class Page:
    """A figure in the making: `axes` (rows, columns) to draw on, then `svg()`."""

    def __init__(self, says: str, rows: int, columns: int, size: tuple[float, float]) -> None:
        self.says = says
        self.figure = Figure(figsize=size, layout="constrained")
        self.axes: npt.NDArray[np.object_] = self.figure.subplots(rows, columns, squeeze=False)

    def at(self, row: int = 0, column: int = 0) -> Axes:
        """The axes at a place."""
        axes = self.axes[row, column]
        assert isinstance(axes, Axes)
        return axes

    def svg(self) -> str:
        """The figure as one `<svg>` element with its alternative text; the same input gives the same bytes."""
        salt = hashlib.sha256(self.says.encode()).hexdigest()[:12]
        stream = io.StringIO()
        with mpl.rc_context({**_STYLE, "svg.hashsalt": salt}):
            FigureCanvasSVG(self.figure).print_svg(stream, metadata=_NO_METADATA)  # type: ignore[no-untyped-call]
        return _dressed(stream.getvalue(), self.says, self.figure.get_figwidth() * _PIXELS_A_INCH)


@contextmanager
def page(says: str, rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.0, 4.2)) -> Iterator[Page]:
    """A figure to draw on, in the common style; `size` in inches, `says` is what a person who cannot see it reads."""
    with mpl.rc_context(_STYLE):
        yield Page(says, rows, columns, size)


def label(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Title and axis labels; empty ones are left out."""
    if title:
        axes.set_title(title)
    if x:
        axes.set_xlabel(x)
    if y:
        axes.set_ylabel(y)


def unit_square(axes: Axes) -> None:
    """Both axes from 0 to 1 with a little air, and as high as wide."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")


def look(place: int) -> tuple[str, str]:
    """Colour and marker of the n-th category."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def categories(words: Sequence[str], most: int = 6) -> list[str]:
    """The distinct words by name; when there are more than `most`, the commonest, and the rest is nobody's colour."""
    names, counts = np.unique(np.asarray(words, dtype=str), return_counts=True)
    chosen = names[np.argsort(-counts, kind="stable")[:most]]
    return sorted(str(name) for name in chosen)


def beside(axes: Axes, text: str, x: float, y: float) -> None:
    """A figure right of a bar's end."""
    axes.annotate(text, (x, y), (5, 0), textcoords="offset points", va="center")


def legend_below(axes: Axes, columns: int = 2) -> None:
    """A legend under the axes, where it hides nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=columns, borderaxespad=0)


def _dressed(drawn: str, says: str, width: float) -> str:
    """From matplotlib's file to an element for a page: no prologue, no ids that clash, alternative text, our ink."""
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(rf"'{_FONT}'[^;\"]*", f"'{_FONT}', Verdana, sans-serif", body)
    for stand_in, ink in _THEME.items():
        body = body.replace(stand_in, ink)
    text = html.escape(says, quote=True)
    style = f'style="width: 100%; max-width: {width:.0f}px; height: auto"'
    return re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', rf"<svg {_NAMESPACES} \1 {style} role="
                  rf'"img" aria-label="{text}">', body, count=1)  # fmt: skip


_NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"'
