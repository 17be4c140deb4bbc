"""How features lie between labels and sources: violins, pair plots and t-SNE maps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from services.trainer.figures.canvas import QUIET, Floats, categories, label, look, page

_MOST_POINTS = 800


def violins(columns: Mapping[str, Floats], groups: Sequence[str]) -> str:
    """One panel a column (n,), one violin a group (n,), with median and quartiles; groups below two rows are dots."""
    names = categories(groups)
    middles = [f"{column} of {name}: median {np.median(_of(values, groups, name)):.4g}"
               for column, values in columns.items() for name in names]  # fmt: skip
    with page("Violins. " + "; ".join(middles), 1, len(columns), (5 * len(columns), 1.4 + 0.75 * len(names))) as made:
        for place, (column, values) in enumerate(columns.items()):
            axes = made.at(0, place)
            for row, name in enumerate(names):
                _violin(axes, _of(values, groups, name), row, look(row)[0])
            shown = [f"{name}\nn = {len(_of(values, groups, name))}" for name in names]
            axes.set_yticks(range(len(names)), shown if place == 0 else [""] * len(names))
            axes.set_ylim(len(names) - 0.4, -0.6)
            axes.grid(visible=False, axis="y")
            label(axes, column)
    return made.svg()


def pair_plot(columns: Mapping[str, Floats], groups: Sequence[str]) -> str:
    """Every pair of columns (n,) as points by group (n,), densities on the diagonal; at most 800 rows are drawn."""
    names, titles = categories(groups), list(columns)
    places = _thinned(len(groups))
    table = {title: values[places] for title, values in columns.items()}
    words = [groups[place] for place in places]
    with page(f"Pair plot of {', '.join(titles)} by {', '.join(names)}", len(titles), len(titles), (10, 9)) as made:
        for row, column in np.ndindex(len(titles), len(titles)):
            axes = made.at(row, column)
            if column > row:
                axes.set_visible(False)
            elif row == column:
                _densities(axes, table[titles[row]], words, names)
            else:
                _points(axes, table[titles[column]], table[titles[row]], words, names)
            _outer_labels(axes, titles, row, column)
        made.figure.legend(*made.at(1, 0).get_legend_handles_labels(), loc="upper right", markerscale=2, fontsize=12)
    return made.svg()


def maps(points: Floats, colourings: Mapping[str, Sequence[str]]) -> str:
    """One map (n, 2) drawn once for each colouring (n,): by label, by source. Where sources form islands, beware."""
    named = "; ".join(f"{title}: {', '.join(categories(words))}" for title, words in colourings.items())
    with page(f"t-SNE maps of {len(points)} files. Coloured by {named}", 1, len(colourings), (11, 5.6)) as made:
        for place, (title, words) in enumerate(colourings.items()):
            axes = made.at(0, place)
            _points(axes, points[:, 0], points[:, 1], words, categories(words), size=16)
            axes.set(xticks=[], yticks=[])
            label(axes, f"by {title}")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, markerscale=1.6)
    return made.svg()


def _of(values: Floats, groups: Sequence[str], name: str) -> Floats:
    part: Floats = values[np.asarray(groups, dtype=str) == name]
    return part


def _violin(axes: Axes, values: Floats, row: int, colour: str) -> None:
    if len(values) < 2 or np.ptp(values) == 0:
        axes.plot(values, np.full(len(values), row), "o", color=colour)
        return
    body = axes.violinplot(values, [row], orientation="horizontal", widths=0.85, showextrema=False)["bodies"]
    for shape in body:  # type: ignore[attr-defined]
        shape.set(facecolor=colour, alpha=0.75)
    low, middle, high = np.percentile(values, [25, 50, 75])
    axes.plot([low, high], [row, row], color="white", linewidth=5, solid_capstyle="butt")
    axes.plot(middle, row, "o", color="black", markersize=5)


def _densities(axes: Axes, values: Floats, words: Sequence[str], names: Sequence[str]) -> None:
    low, high = np.percentile(values, [0.5, 99.5])
    edges = np.linspace(low, high, 24).tolist()
    if edges[0] == edges[-1]:
        return
    for place, name in enumerate(names):
        part = _of(values, words, name)
        axes.hist(part, edges, density=True, histtype="stepfilled", color=look(place)[0], alpha=0.55)
    axes.set_yticks([])


def _points(axes: Axes, x: Floats, y: Floats, words: Sequence[str], names: Sequence[str], size: float = 9) -> None:
    """Drawn as pixels: thousands of points would weigh megabytes as shapes."""
    said = np.asarray(words, dtype=str)
    rest = ~np.isin(said, names)
    if rest.any():
        axes.scatter(x[rest], y[rest], size, color=QUIET, rasterized=True, label="other", linewidths=0)
    for place, name in enumerate(names):
        colour, marker = look(place)
        here = said == name
        axes.scatter(x[here], y[here], size, color=colour, marker=marker, alpha=0.7, linewidths=0, label=name,
                     rasterized=True)  # fmt: skip


def _outer_labels(axes: Axes, titles: Sequence[str], row: int, column: int) -> None:
    label(axes, x=titles[column] if row == len(titles) - 1 else "", y=titles[row] if column == 0 and row else "")
    axes.tick_params(labelsize=8, labelbottom=row == len(titles) - 1, labelleft=column == 0 and row > 0)
    axes.locator_params(nbins=4)


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int))
