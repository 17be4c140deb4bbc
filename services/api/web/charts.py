"""Drawings as numbers: where lines, dots and ticks go in an SVG that a template draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10

_WIDTH, _HEIGHT = 420, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 48
_MOST_POINTS = 400

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """What an axis shows, from `low` to `high`; `high` is above `low`."""

    title: str
    low: float
    high: float
    step: float

    @property
    def ticks(self) -> list[float]:
        """Round numbers along it."""
        first, last = ceil(self.low / self.step - 1e-9), floor(self.high / self.step + 1e-9)
        return [round(number * self.step, 10) for number in range(first, last + 1)]

    def share(self, value: float) -> float:
        """Where a value stands, 0 to 1; what lies outside stands at the edge."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


@dataclass(frozen=True)
class Line:
    """One polyline. `style` is a class of the style sheet, `label` what a legend or a reader of the page says."""

    points: Sequence[Point]
    style: str
    label: str = ""


@dataclass(frozen=True)
class Dot:
    """One point with the intervals that it is known to, if any."""

    at: Point
    style: str
    label: str
    across: tuple[float, float] | None = None
    along: tuple[float, float] | None = None


@dataclass(frozen=True)
class Mark:
    """Where a dot stands, and the ends of its bars."""

    x: float
    y: float
    style: str
    label: str
    bars: list[tuple[float, float, float, float]]


@dataclass(frozen=True)
class Plot:
    """A drawing of lines and dots between two axes."""

    x: Axis
    y: Axis
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()
    width: int = field(default=_WIDTH)
    height: int = field(default=_HEIGHT)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what the axes enclose."""
        return _LEFT, _TOP, self.width - _RIGHT, self.height - _BOTTOM

    def across(self, value: float) -> float:
        """The x of a value."""
        left, _, right, _ = self.box
        return round(left + (right - left) * self.x.share(value), 1)

    def up(self, value: float) -> float:
        """The y of a value."""
        _, top, _, bottom = self.box
        return round(bottom - (bottom - top) * self.y.share(value), 1)

    def path(self, line: Line) -> str:
        """The `d` of a line; at most some hundred of its points."""
        every = max(1, ceil(len(line.points) / _MOST_POINTS))
        kept = [*line.points[:-1:every], *line.points[-1:]]
        return "M" + "L".join(f"{self.across(x)} {self.up(y)}" for x, y in kept) if kept else ""

    @property
    def marks(self) -> list[Mark]:
        """Where the dots stand."""
        return [self._mark(dot) for dot in self.dots]

    def _mark(self, dot: Dot) -> Mark:
        x, y = self.across(dot.at[0]), self.up(dot.at[1])
        bars = [(self.across(dot.across[0]), y, self.across(dot.across[1]), y)] if dot.across else []
        if dot.along:
            bars.append((x, self.up(dot.along[0]), x, self.up(dot.along[1])))
        return Mark(x, y, dot.style, dot.label, bars)


def fitted(title: str, values: Sequence[float], *, whole: bool = False) -> Axis:
    """An axis from 0, or the least value below it, to a round number above the largest."""
    low, high = min([0.0, *values]), max([0.0, *values])
    step = _round_step((high - low) / 5 or 1.0)
    step = max(step, 1.0) if whole else step
    return Axis(title, floor(low / step) * step, max(ceil(high / step) * step, floor(low / step) * step + step), step)


def unit(title: str) -> Axis:
    """An axis of a share."""
    return Axis(title, 0.0, 1.0, 0.2)


def _round_step(about: float) -> float:
    power = 10.0 ** floor(log10(about))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= about * 0.999)
