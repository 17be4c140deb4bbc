"""Gates before a promotion: what is known of a version, held against what answers now. Read from cards and results.

Each gate passes, fails, or says that there is not enough evidence; a person may override the last two with a reason.
"""

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from services.api.preparation import Preparation
from shared.schemas import Card, Interval, SourceFigures
from shared.sentences import EN, retold, say

Outcome = Literal["pass", "fail", "not_enough_evidence"]

MARGIN = 0.05  # of correct answers, or of AUROC: what a replacement may be worse by
SUBGROUP_MARGIN = 0.10  # of sensitivity or specificity, below that of everybody
CALIBRATION_ERROR = 0.05
WIDEST_SLOPE = 1.0  # an interval wider than this says nothing about calibration
_Z = 1.96


class Gate(BaseModel):
    """One gate with the figures that decided it."""

    name: str
    outcome: Outcome
    detail: str
    figures: dict[str, float] = {}


@dataclass(frozen=True)
class Pairs:
    """Judged inputs that both versions answered, and how many only one of them got right."""

    n: int
    better: int
    worse: int

    @property
    def difference(self) -> Interval:
        """Difference of the shares of correct answers, paired (Agresti and Min 2005: half an answer in each cell)."""
        n, better, worse = self.n + 2, self.better + 0.5, self.worse + 0.5
        value = (better - worse) / n
        margin = _Z * math.sqrt(max(better + worse - (better - worse) ** 2 / n, 0.0)) / n
        return Interval(value=value, low=max(value - margin, -1.0), high=min(value + margin, 1.0))


@dataclass(frozen=True)
class Alerts:
    """Drift alerts that are open on the candidate (`ours`), and unacknowledged on what is active (`theirs`).

    Not `watched`: what is active has too few results for any to drift from.
    """

    ours: int
    theirs: int
    watched: bool


def retold_detail(name: str, detail: str) -> str:
    """What a gate said when a move was made, in the language of now."""
    for key in (key for key in EN if key.startswith(f"gate.{name}.")):
        if (told := retold(key, detail)) != detail:
            return told
    return detail


def gates(card: Card, active: Card | None, pairs: Pairs, proof: Preparation, alerts: Alerts) -> list[Gate]:
    """Every gate, in the order in which a reader wants to know."""
    of_card = [calibration(card), parity(proof), subgroups(card), shortcuts(card)]
    return [comparison(card, active, pairs), *of_card, drift(alerts)]


def comparison(card: Card, active: Card | None, pairs: Pairs) -> Gate:
    """No worse than the active version: on judged inputs that both answered, else by the cards where data is the same.

    The cards' figures are of the same rows, so taking the two as independent makes the interval too wide, never too
    narrow.
    """
    if active is None:
        return _gate("comparison", "not_enough_evidence", "nothing_active")
    if pairs.n:
        return _no_worse("paired", pairs.difference, pairs.n)
    same = card.data.fingerprint == active.data.fingerprint and card.metrics.protocol == active.metrics.protocol
    if not same:
        return _gate("comparison", "not_enough_evidence", "nothing_shared")
    ours, theirs = card.metrics.auroc, active.metrics.auroc
    value, margin = ours.value - theirs.value, math.hypot(ours.high - ours.low, theirs.high - theirs.low) / 2
    return _no_worse("cards", Interval(value=value, low=value - margin, high=value + margin), card.data.n)


def calibration(card: Card) -> Gate:
    """Probabilities mean what they say, out of fold."""
    detail, error = card.metrics.detail, card.metrics.calibration_error
    if detail is None:
        return _gate("calibration", "not_enough_evidence", "unmeasured", error=error)
    slope, intercept = detail.calibration_slope, detail.calibration_intercept
    figures = {"error": error, "slope": slope.value, "low": slope.low, "high": slope.high}
    right = slope.low <= 1 <= slope.high and intercept.low <= 0 <= intercept.high
    if not right and error > CALIBRATION_ERROR:
        return _gate("calibration", "fail", "off", **figures)
    if error > CALIBRATION_ERROR or slope.high - slope.low > WIDEST_SLOPE:
        return _gate("calibration", "not_enough_evidence", "wide", **figures)
    return _gate("calibration", "pass", "right", **figures)


def parity(proof: Preparation) -> Gate:
    """Served as it was trained: the golden samples were answered as at publishing on the machines that will answer."""
    figures = {"proved": float(sum(one.state == "warm" for one in proof.standings)), "of": float(len(proof.standings))}
    if any(one.state == "refused" for one in proof.standings):
        return _gate("parity", "fail", "differs", **figures)
    if proof.ready and proof.standings:
        return _gate("parity", "pass", "same", **figures)
    return _gate("parity", "not_enough_evidence", "unproved", **figures)


def subgroups(card: Card) -> Gate:
    """On no source clearly worse than on all of them; a source must be large enough to show it."""
    lows: list[float] = []
    for source in card.metrics.per_source:
        for ours, everybody in _rates(source, card):
            if ours.high < everybody.value - SUBGROUP_MARGIN:
                return _gate("subgroups", "fail", "worse", source=source.source, value=ours.value, all=everybody.value)
            lows.append(ours.low - everybody.value)
    if len(card.metrics.per_source) < 2 or not lows:
        return _gate("subgroups", "not_enough_evidence", "one")
    if min(lows) < -SUBGROUP_MARGIN:
        return _gate("subgroups", "not_enough_evidence", "small", gap=min(lows))
    return _gate("subgroups", "pass", "alike", gap=min(lows))


def shortcuts(card: Card) -> Gate:
    """Better than every trivial reading of the files."""
    if not card.metrics.controls:
        return _gate("shortcuts", "not_enough_evidence", "none")
    best, ours = max(card.metrics.controls, key=lambda control: control.auroc.value), card.metrics.auroc
    said: dict[str, float | str] = {"control": best.name, "reached": best.auroc.value, "model": ours.value}
    if best.auroc.value >= ours.value:
        return _gate("shortcuts", "fail", "as_good", **said)
    if any(control.auroc.high >= ours.low for control in card.metrics.controls):
        return _gate("shortcuts", "not_enough_evidence", "near", **said)
    return _gate("shortcuts", "pass", "beaten", **said)


def drift(alerts: Alerts) -> Gate:
    """No alert is open on the candidate; what it was judged on is what comes in: nobody overlooked an alert."""
    figures = {"ours": float(alerts.ours), "theirs": float(alerts.theirs)}
    if alerts.ours:
        return _gate("drift", "fail", "ours", **figures)
    if alerts.theirs:
        return _gate("drift", "not_enough_evidence", "theirs", **figures)
    if not alerts.watched:
        return _gate("drift", "not_enough_evidence", "unwatched", **figures)
    return _gate("drift", "pass", "calm", **figures)


def _no_worse(basis: str, gap: Interval, n: int) -> Gate:
    outcome: Outcome = "not_enough_evidence"
    if gap.high < 0:
        outcome = "fail"
    elif gap.low > -MARGIN:
        outcome = "pass"
    return _gate("comparison", outcome, basis, value=gap.value, low=gap.low, high=gap.high, n=float(n))


def _rates(source: SourceFigures, card: Card) -> list[tuple[Interval, Interval]]:
    point = card.operating_point
    both = ((source.sensitivity, point.sensitivity), (source.specificity, point.specificity))
    return [(ours, everybody) for ours, everybody in both if ours is not None]


def _gate(name: str, outcome: Outcome, why: str, **values: float | str) -> Gate:
    figures = {key: round(value, 6) for key, value in values.items() if isinstance(value, float)}
    return Gate(name=name, outcome=outcome, detail=say(f"gate.{name}.{why}", **values), figures=figures)
