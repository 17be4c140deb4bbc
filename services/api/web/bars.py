"""Contributions as bars to both sides of nought, in percent of the drawing's width."""

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
