"""Bars in percent of a drawing: contributions to both sides of nought, and counts side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.schemas import Contribution
from shared.sentences import say

_SHOWN = 12


@dataclass(frozen=True)
class Bar:
    """One bar, from nought in the middle: `raised` to the right, else to the left."""

    label: str
    value: str
    x: str
    width: str
    raised: bool


def bars(contributions: Sequence[Contribution]) -> list[Bar]:
    """The largest, and all others together, on one scale."""
    shown = [(one.label, one.value) for one in contributions[:_SHOWN]]
    if len(contributions) > _SHOWN:
        shown.append((say("page.why.rest"), sum(one.value for one in contributions[_SHOWN:])))
    largest = max((abs(value) for _, value in shown), default=0.0) or 1.0
    return [_bar(label, value, 50 * abs(value) / largest) for label, value in shown]


def _bar(label: str, value: float, width: float) -> Bar:
    left = 50.0 if value >= 0 else 50 - width
    return Bar(label, f"{value:+.2f}".replace("-", "−"), f"{left:.2f}%", f"{width:.2f}%", value >= 0)


@dataclass(frozen=True)
class Column:
    """One column of a histogram, standing on the drawing's floor."""

    x: str
    y: str
    width: str
    height: str
    low: str
    high: str
    count: int


def histogram(counts: Sequence[int]) -> list[Column]:
    """Columns of counts over equal parts of -1 to 1; those of nothing are left out."""
    tallest, width = max(counts, default=0) or 1, 100 / len(counts)
    edges = [2 * place / len(counts) - 1 for place in range(len(counts) + 1)]
    return [
        Column(
            x=f"{place * width + 0.4:.2f}%",
            y=f"{100 - 100 * count / tallest:.2f}%",
            width=f"{width - 0.8:.2f}%",
            height=f"{100 * count / tallest:.2f}%",
            low=_signed(edges[place]),
            high=_signed(edges[place + 1]),
            count=count,
        )
        for place, count in enumerate(counts)
        if count
    ]


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
