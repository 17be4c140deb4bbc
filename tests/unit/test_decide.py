"""From score to decision: calibration, threshold, and what is referred to a person."""

import math
from pathlib import Path

import pytest

from shared.decide import decide
from shared.registry import verify
from shared.schemas import Calibration, Card, Decision, Modality, Novelty, Population


@pytest.fixture(scope="module")
def card(tiny_versions: dict[Modality, Path]) -> Card:
    plain = verify(tiny_versions[Modality.CHEST_XRAY]).card
    return plain.model_copy(
        update={
            "calibration": Calibration(method="sigmoid", slope=2.0, intercept=-1.0, prevalence=0.5),
            "threshold": 0.6,
            "novelty": Novelty(method="test", threshold=10.0, quantile=0.98),
            "population": Population(age_years=(18, 90), views=["PA", "AP"], description="adults, frontal"),
        }
    )


def test_probability_is_the_calibrated_score(card: Card) -> None:
    assert decide(card, 1.0, 0.0, {}).probability == pytest.approx(1 / (1 + math.exp(-1.0)))


def test_the_threshold_itself_is_flagged(card: Card) -> None:
    score = (math.log(0.6 / 0.4) + 1.0) / 2.0
    assert decide(card, score + 1e-9, 0.0, {}).decision is Decision.FLAGGED
    assert decide(card, score - 1e-6, 0.0, {}).decision is Decision.NOT_FLAGGED


@pytest.mark.parametrize(
    ("distance", "facts", "code"),
    [
        (10.1, {}, "out_of_distribution"),
        (0.0, {"age_years": 4.0}, "age_untested"),
        (0.0, {"view": "LL"}, "view_untested"),
    ],
)
def test_what_was_not_tested_is_referred(card: Card, distance: float, facts: dict, code: str) -> None:
    verdict = decide(card, 9.0, distance, facts)
    assert verdict.decision is Decision.REFER
    assert [reason.code for reason in verdict.reasons] == [code]


def test_frontal_adults_are_not_referred(card: Card) -> None:
    assert decide(card, 9.0, 1.0, {"age_years": 50.0, "view": "pa"}).decision is Decision.FLAGGED


@pytest.mark.parametrize("score", [1000.0, -1000.0])
def test_extreme_scores_stay_probabilities(card: Card, score: float) -> None:
    assert 0.0 <= decide(card, score, 0.0, {}).probability <= 1.0


@pytest.mark.parametrize(("score", "distance"), [(math.nan, 0.0), (math.inf, 0.0), (0.0, math.nan)])
def test_a_number_that_is_none_is_no_answer(card: Card, score: float, distance: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        decide(card, score, distance, {})
