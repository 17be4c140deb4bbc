"""Drawings of the pages: round ticks, everything inside the axes, and only what a card or a run holds."""

import pytest

from services.api.run_views import Point
from services.api.web import curves
from services.api.web.charts import Axis, Dot, Line, Plot, fitted, unit
from services.api.web.side_by_side import Confusion
from shared.schemas import Card, Modality
from tests.support.versions import card as tiny_card


def card(**changes: object) -> Card:
    """A card with this operating point and detail."""
    plain = tiny_card(Modality.COUGH, "cough/mlp", "tiny-1", [26], "covid_pattern", ["audio/wav"], [0.0], [0.0])
    return Card.model_validate({**plain.model_dump(mode="json"), **changes})


def point(epoch: int, stage: str, loss: float | None = 0.5) -> Point:
    """One epoch."""
    return Point(stage=stage, epoch=epoch, loss=loss, accuracy=0.5, tp=1, fp=1, tn=1, fn=1, seconds=1.0)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([], [0.0, 1.0]),
        ([0.73], [0.0, 0.2, 0.4, 0.6, 0.8]),
        ([37.0], [0.0, 10.0, 20.0, 30.0, 40.0]),
        ([-0.5, 0.5], [-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6]),
        ([0.00042], [0.0, 0.0001, 0.0002, 0.0003, 0.0004, 0.0005]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(values: list[float], ticks: list[float]) -> None:
    axis = fitted("x", values)
    assert axis.ticks == pytest.approx(ticks)
    assert all(axis.low <= value <= axis.high for value in values)


def test_whole_numbers_have_whole_ticks() -> None:
    assert fitted("epoch", [2.0], whole=True).ticks == [0.0, 1.0, 2.0]


def test_what_lies_outside_is_drawn_at_the_edge() -> None:
    plot = Plot(unit("x"), unit("y"), dots=[Dot((1.4, -3.0), "s0", "far", across=(-1.0, 2.0), along=(0.2, 0.4))])
    (mark,) = plot.marks
    left, top, right, bottom = plot.box
    assert (mark.x, mark.y) == (right, bottom)
    assert mark.bars[0][::2] == (left, right)
    assert top < mark.bars[1][3] < mark.bars[1][1] < bottom


def test_a_long_line_is_thinned_and_keeps_its_ends() -> None:
    plot = Plot(Axis("x", 0, 10_000, 2000), unit("y"))
    path = plot.path(Line([(float(x), 0.5) for x in range(10_000)], "latest"))
    assert path.count("L") < 450
    assert path.startswith("M52")
    assert path.endswith(f"{plot.across(9999)} {plot.up(0.5)}")
    assert plot.path(Line([], "latest")) == ""


def test_each_stage_has_its_line_and_no_number_is_no_point() -> None:
    plot = curves.loss([point(1, "fold 1"), point(2, "fold 1", None), point(1, "fold 2"), point(2, "fold 2")])
    assert [(line.label, len(line.points), line.style) for line in plot.lines] == [
        ("fold 1", 1, "earlier"),
        ("fold 2", 2, "latest"),
    ]


def test_a_card_without_detail_has_its_operating_point_alone() -> None:
    plot = curves.operating_points([card(), card()])
    assert [(dot.at, dot.style) for dot in plot.dots] == [((0.5, 0.5), "s0"), ((0.5, 0.5), "s1")]
    assert [line.style for line in curves.reliability([card()]).lines] == ["chance"]


def test_confusion_counts_add_up() -> None:
    rate = {"value": 0.8, "low": 0.7, "high": 0.9}
    other = {"value": 0.25, "low": 0.2, "high": 0.3}
    point = {"sensitivity": rate, "specificity": other, "n": 90, "positives": 50, "sources": ["a"]}
    counts = Confusion.of(card(operating_point=point))
    assert (counts.flagged_with, counts.missed, counts.flagged_without, counts.cleared) == (40, 10, 30, 10)
    assert counts.rows == [[(40, 0.8), (10, 0.2)], [(30, 0.75), (10, 0.25)]]
