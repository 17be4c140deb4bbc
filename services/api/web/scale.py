"""Where things stand on the drawn scale of a probability. Percent of its width, so that text keeps its size."""

from dataclasses import dataclass

from shared.schemas import Interval

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


@dataclass(frozen=True)
class Span:
    """A share with its interval, drawn over the same width as the scale."""

    x: str
    low: str
    high: str
    width: str


def span(share: Interval) -> Span:
    """Place a share, 0 to 1, and its interval."""
    return Span(
        x=f"{100 * share.value:.2f}%",
        low=f"{100 * share.low:.2f}%",
        high=f"{100 * share.high:.2f}%",
        width=f"{100 * (share.high - share.low):.2f}%",
    )


def _mark(value: float) -> Mark:
    anchor = "start" if value < _EDGE else "end" if value > 1 - _EDGE else "middle"
    return Mark(f"{100 * value:.2f}%", anchor)
