"""Markdown for the two pages that `thoracle reproduce` writes."""

from collections.abc import Iterable, Sequence

from services.trainer.apart import Apart
from shared.schemas import Control, Interval

WRITTEN = "Written by `make reproduce`, from measurements on the development data; nothing here is typed in by hand."
NONE = "–"


def spread(interval: Interval) -> str:
    """A figure with its interval."""
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return [*lines, *(f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows)]


def passes(epochs: int) -> str:
    """Epochs, or the trials of a search; nothing for a fit that has none."""
    return str(epochs) if epochs > 1 else NONE


def best_control(found: Apart) -> Control:
    """The shortcut that gets furthest."""
    return max(found.controls, key=lambda control: control.auroc.value)
