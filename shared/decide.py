"""From a score to a decision, with the card's numbers alone: the one place where threshold and calibration apply."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shared.schemas import Card, Decision, Note
from shared.sentences import say

Facts = Mapping[str, str | float]


@dataclass(frozen=True)
class Verdict:
    """What the card makes of one score."""

    probability: float
    decision: Decision
    reasons: list[Note]


def decide(card: Card, score: float, distance: float, facts: Facts) -> Verdict:
    """Calibrate a score (log-odds) and compare it; what the version was not tested on is referred to a person.

    `distance` is the graph's out-of-distribution output; `facts` are what the caller or the file says of the input
    (`age_years`, `view`). Raises ValueError when score or distance is not finite.
    """
    if not (math.isfinite(score) and math.isfinite(distance)):
        raise ValueError("score or distance is not finite")
    probability = calibrated(card, score)
    reasons = [*_novelty(card, distance), *_population(card, facts)]
    if reasons:
        decision = Decision.REFER
    else:
        decision = Decision.FLAGGED if probability >= card.threshold else Decision.NOT_FLAGGED
    return Verdict(probability, decision, reasons)


def calibrated(card: Card, score: float) -> float:
    """Probability of the finding from the graph's score."""
    logit = card.calibration.slope * score + card.calibration.intercept
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    tail = math.exp(logit)
    return tail / (1.0 + tail)


def note(code: str, **values: float | str) -> Note:
    """A line of `quality` or `reasons` with its sentence from the catalogue."""
    return Note(code=code, text=say(code, **values), values=values)


def _novelty(card: Card, distance: float) -> list[Note]:
    return [note("out_of_distribution", distance=distance)] if distance > card.novelty.threshold else []


def _population(card: Card, facts: Facts) -> list[Note]:
    reasons = []
    age, view = facts.get("age_years"), facts.get("view")
    span = card.population.age_years
    if span and isinstance(age, float | int) and not span[0] <= age <= span[1]:
        reasons.append(note("age_untested", age=float(age), low=span[0], high=span[1]))
    if card.population.views and view is not None and str(view).upper() not in card.population.views:
        reasons.append(note("view_untested", view=str(view)))
    return reasons
