"""Where things stand on the drawn scale of a probability. Percent of its width, so that text keeps its size."""

from dataclasses import dataclass

_EDGE = 0.14


@dataclass(frozen=True)
class Mark:
    """A place on the scale and how its label is anchored, so that it stays inside the drawing."""

    x: str
    anchor: str


@dataclass(frozen=True)
class Scale:
    """Geometry of one drawing."""

    probability: Mark
    threshold: Mark
    above: str
    shows_zero: bool
    shows_one: bool


def scale(probability: float, threshold: float) -> Scale:
    """Place a probability and its threshold. The end of the axis that the threshold's label would cover is left out."""
    return Scale(
        probability=_mark(probability),
        threshold=_mark(threshold),
        above=f"{100 * (1 - threshold):.2f}%",
        shows_zero=threshold > _EDGE * 1.6,
        shows_one=threshold < 1 - _EDGE * 1.6,
    )


def _mark(value: float) -> Mark:
    anchor = "start" if value < _EDGE else "end" if value > 1 - _EDGE else "middle"
    return Mark(f"{100 * value:.2f}%", anchor)
