"""What the data hold: the classes in each source."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from services.trainer.figures.canvas import beside, categories, label, look, page

_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++", "oo")


def class_balance(labels: Sequence[str], sources: Sequence[str]) -> str:
    """Files of each label (n,) in each source (n,), stacked; a source of one colour holds one class only."""
    counted = Counter(zip(sources, labels, strict=True))
    kinds, places = categories(labels), sorted(set(sources))
    says = "Class balance. " + "; ".join(
        f"{source}: " + ", ".join(f"{counted[source, kind]} {kind}" for kind in kinds if counted[source, kind])
        for source in places
    )
    with page(says, size=(9, 1.5 + 0.45 * len(places))) as made:
        axes = made.at()
        left, heights = np.zeros(len(places)), np.arange(len(places))[::-1]
        for place, kind in enumerate(kinds):
            values = np.array([counted[source, kind] for source in places])
            axes.barh(heights, values, 0.62, left=left, color=look(place)[0], hatch=_HATCHES[place], label=kind)
            left += values
        for height, source in zip(heights, places, strict=True):
            shares = " / ".join(str(counted[source, kind]) for kind in kinds)
            beside(axes, shares, left[len(places) - 1 - height], height)
        axes.set_yticks(heights, places)
        axes.set_xlim(0, 1.3 * max(1.0, float(left.max())))
        axes.grid(visible=False, axis="y")
        label(axes, x="files (" + " / ".join(kinds) + ")")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4)
    return made.svg()
