"""The drift board's drawings: scores against their reference, distance from it over time, what jobs ended as."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, pairwise

from services.api.drift.views import JudgedWeek, MeasureView, Moment
from services.api.drift.views import Line as Going
from services.api.web.charts import Axis, Dot, Line, Plot, Point, fitted, unit
from shared.measures import FEATURES
from shared.sentences import say

_BINS = 10
_HEIGHT = 260
_HIGHEST = 1.0  # of the index; beyond it the line runs along the top
_DAY_S = 86_400


def scores(measure: MeasureView) -> Plot:
    """Shares of results by tenths of probability, now and in the reference."""
    told = [(measure.now, "s0", "drift.now"), (measure.reference, "s1", "drift.reference")]
    shares = [_tenths(counts, measure.edges) for counts, _, _ in told]
    lines = [
        Line(_steps(each), style, say(label)) for each, (_, style, label) in zip(shares, told, strict=True) if any(each)
    ]
    y = fitted(say("drift.axis.share"), [max(each) for each in shares])
    return Plot(unit(say("drift.measure.probability")), y, lines, height=_HEIGHT)


def distances(going: Going, days: int, raised: float, cleared: float) -> Plot:
    """The index of scores, of outcomes and of the input's furthest feature, with the limits of alerts."""
    picks: tuple[Callable[[Mapping[str, float]], float | None], ...] = (
        lambda psi: psi.get("probability"),
        lambda psi: psi.get("outcome"),
        lambda psi: max((value for name, value in psi.items() if name in FEATURES), default=None),
    )
    x = _days(days)
    found = [[(at, value) for at, moment in _timed(going) if (value := pick(moment.psi)) is not None] for pick in picks]
    highest = max([raised * 1.6, *(value for points in found for _, value in points)])
    y = Axis(say("drift.axis.psi"), 0.0, min(highest, _HIGHEST), 0.1 if highest <= 0.6 else 0.2)
    return _drawn(x, y, found, [_limit(x, "raise", raised), _limit(x, "clear", cleared)])


def rates(going: Going, days: int) -> Plot:
    """Shares of jobs that were flagged, referred and rejected."""
    names = ("flagged", "refer", "rejected")
    found = [
        [(at, moment.outcomes[name] / moment.jobs) for at, moment in _timed(going) if moment.jobs] for name in names
    ]
    y = fitted(say("drift.axis.share"), [value for points in found for _, value in points])
    return _drawn(_days(days), y, found, [])


def sensitivity(weeks: Sequence[JudgedWeek], days: int) -> Plot:
    """The rolling week's sensitivity with its interval; the line breaks where there are too few labels."""
    dots = [_judged(week) for week in weeks if week.sensitivity]
    runs = groupby(weeks, lambda week: week.sensitivity is not None)
    lines = [Line([_judged(week).at for week in run], "s0") for known, run in runs if known]
    return Plot(_days(days), unit(say("drift.judged.sensitivity")), lines, dots, height=_HEIGHT)


def _judged(week: JudgedWeek) -> Dot:
    share = week.sensitivity
    assert share is not None
    label = say("drift.week", value=share.value, low=share.low, high=share.high, count=week.present)
    at = (week.until - datetime.now(UTC)).total_seconds() / _DAY_S
    return Dot((round(at, 2), share.value), "s0 small", label, along=(share.low, share.high))


def _drawn(x: Axis, y: Axis, found: Sequence[Sequence[Point]], lines: list[Line]) -> Plot:
    lines = lines + [Line(points, f"s{place}") for place, points in enumerate(found) if len(points) > 1]
    dots = [Dot(point, f"s{place} small", f"{point[1]:.2f}") for place, points in enumerate(found) for point in points]
    return Plot(x, y, lines, dots, height=_HEIGHT)


def _limit(x: Axis, name: str, value: float) -> Line:
    return Line([(x.low, value), (x.high, value)], f"limit {name}", say(f"drift.limit.{name}"))


def _timed(going: Going) -> list[tuple[float, Moment]]:
    """Each moment with its place in days before now."""
    now = datetime.now(UTC)
    return [((moment.since - now).total_seconds() / _DAY_S, moment) for moment in going.points]


def _days(days: int) -> Axis:
    return Axis(say("drift.axis.days"), float(-days), 0.0, max(1.0, round(days / 6)))


def _tenths(counts: Sequence[int], edges: Sequence[float]) -> list[float]:
    """Shares of the ten equal parts of a probability; every tenth is an edge of the finer bins."""
    total, tenths = sum(counts), [0.0] * _BINS
    for count, low in zip(counts, [0.0, *edges], strict=False):
        tenths[min(int(low * _BINS + 1e-9), _BINS - 1)] += count / total if total else 0.0
    return tenths


def _steps(shares: Sequence[float]) -> list[Point]:
    ends = [place / _BINS for place in range(_BINS + 1)]
    flats = zip(pairwise(ends), shares, strict=True)
    return [(end, share) for both, share in flats for end in both]
