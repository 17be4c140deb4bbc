"""What stands in the columns of versions side by side, and what a reader must know before he compares them."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.web.shown import ShownVersion
from shared.schemas import Card
from shared.sentences import say


@dataclass(frozen=True)
class Confusion:
    """Counts at the operating point, out of fold: what was flagged of those with the finding and of those without."""

    flagged_with: int
    missed: int
    flagged_without: int
    cleared: int

    @classmethod
    def of(cls, card: Card) -> "Confusion":
        """From the rates, which are shares of these counts."""
        point = card.operating_point
        without = point.n - point.positives
        flagged, cleared = round(point.sensitivity.value * point.positives), round(point.specificity.value * without)
        return cls(flagged, point.positives - flagged, without - cleared, cleared)

    @property
    def rows(self) -> list[list[tuple[int, float]]]:
        """Each count with its share of its row: with the finding, then without."""
        pairs = ((self.flagged_with, self.missed), (self.flagged_without, self.cleared))
        return [[(count, count / max(sum(row), 1)) for count in row] for row in pairs]


@dataclass(frozen=True)
class Side:
    """One column."""

    version: ShownVersion
    confusion: Confusion


def sides(chosen: Sequence[ShownVersion]) -> list[Side]:
    """The columns, the earliest published first."""
    ordered = sorted(chosen, key=lambda version: version.published_at)
    return [Side(version, Confusion.of(version.card)) for version in ordered]


def differences(cards: Sequence[Card]) -> list[str]:
    """Why these figures may not be compared as they stand."""
    found = []
    if len({card.finding for card in cards}) > 1:
        found.append(say("admin.side.findings"))
    if len({card.data.fingerprint for card in cards}) > 1:
        found.append(say("admin.side.data"))
    if len({card.metrics.protocol for card in cards}) > 1:
        found.append(say("admin.side.protocol"))
    return found or [say("admin.side.same")]
