"""A training run's curves, and a card's figures, as drawings."""

from collections.abc import Sequence
from math import exp, log

from services.api.run_views import Point
from services.api.web.charts import Axis, Dot, Line, Plot, fitted, unit
from shared.schemas import Card, Interval
from shared.sentences import say

_GRID = [number / 50 for number in range(1, 50)]


def loss(curve: Sequence[Point]) -> Plot:
    """Loss by epoch, one line a stage; the stage that goes on is the thick one."""
    lines = _by_stage(curve, [point.loss for point in curve])
    values = [value for line in lines for _, value in line.points]
    return Plot(_epochs(curve), fitted(say("admin.run.loss"), values), lines)


def accuracy(curve: Sequence[Point]) -> Plot:
    """Accuracy on the training draws by epoch."""
    lines = _by_stage(curve, [point.accuracy for point in curve])
    return Plot(_epochs(curve), unit(say("admin.run.accuracy")), lines)


def operating_points(cards: Sequence[Card]) -> Plot:
    """What the cards hold of each ROC curve: the operating point and rates at fixed rates, with their intervals."""
    dots = [dot for place, card in enumerate(cards) for dot in _points(card, f"s{place}")]
    chance = Line([(0.0, 0.0), (1.0, 1.0)], "chance", say("admin.roc.chance"))
    return Plot(unit(say("admin.roc.x")), unit(say("admin.roc.y")), [chance], dots)


def reliability(cards: Sequence[Card]) -> Plot:
    """How often the finding was there at each told probability, by the cards' calibration slope and intercept."""
    ideal = Line([(0.0, 0.0), (1.0, 1.0)], "chance", say("admin.calibration.ideal"))
    lines = [_recalibrated(card, f"s{place}") for place, card in enumerate(cards) if card.metrics.detail]
    return Plot(unit(say("admin.calibration.x")), unit(say("admin.calibration.y")), [ideal, *lines])


def _by_stage(curve: Sequence[Point], values: Sequence[float | None]) -> list[Line]:
    stages: dict[str, list[tuple[float, float]]] = {}
    for point, value in zip(curve, values, strict=True):
        found = stages.setdefault(point.stage, [])
        if value is not None:
            found.append((float(point.epoch), value))
    last = curve[-1].stage if curve else ""
    return [Line(points, "latest" if stage == last else "earlier", stage) for stage, points in stages.items()]


def _epochs(curve: Sequence[Point]) -> Axis:
    return fitted(say("admin.run.epoch"), [float(point.epoch) for point in curve], whole=True)


def _points(card: Card, style: str) -> list[Dot]:
    point = card.operating_point
    chosen = Dot(
        (1 - point.specificity.value, point.sensitivity.value),
        style,
        say("admin.roc.operating", name=card.name),
        across=(1 - point.specificity.high, 1 - point.specificity.low),
        along=(point.sensitivity.low, point.sensitivity.high),
    )
    fixed = [
        _fixed(rate.rate, rate.at, rate.value, style)
        for rate in (card.metrics.detail.fixed if card.metrics.detail else ())
    ]
    return [*fixed, chosen]


def _fixed(rate: str, at: float, value: Interval, style: str) -> Dot:
    label = say(f"page.{rate}_at", at=f"{at:.2f}")
    if rate == "sensitivity":
        return Dot((1 - at, value.value), f"{style} small", label, along=(value.low, value.high))
    return Dot((1 - value.value, at), f"{style} small", label, across=(1 - value.high, 1 - value.low))


def _recalibrated(card: Card, style: str) -> Line:
    """Logit of the true share = intercept + slope x logit of the told probability (Cox 1958)."""
    detail = card.metrics.detail
    assert detail is not None
    slope, intercept = detail.calibration_slope.value, detail.calibration_intercept.value
    points = [(told, 1 / (1 + exp(-(intercept + slope * log(told / (1 - told)))))) for told in _GRID]
    return Line(points, style, card.name)
