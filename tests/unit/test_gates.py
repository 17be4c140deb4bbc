"""Gates say pass, fail or not enough evidence, and each of the three can happen."""

from typing import Any

import pytest

from services.api import gates
from services.api.gates import Pairs
from services.api.preparation import Preparation, Standing
from shared.schemas import Card, Modality, VersionRef
from tests.support.versions import card as tiny_card

REF = VersionRef(recipe="cough/mlp", name="tiny-1", sha256="0" * 64)


def around(value: float, half: float) -> dict[str, float]:
    """An interval."""
    return {"value": value, "low": value - half, "high": value + half}


def card(**metrics: Any) -> Card:
    """A card with these figures."""
    plain = tiny_card(Modality.COUGH, "cough/mlp", "tiny-1", [26], "covid_pattern", ["audio/wav"], [0.0], [0.0])
    whole = plain.model_dump(mode="json")
    whole["metrics"] |= metrics
    return Card.model_validate(whole)


def source(name: str, sensitivity: dict[str, float]) -> dict[str, Any]:
    """Figures on one source."""
    sizes = {"n": 100, "patients": 100, "positives": 50, "auroc": None, "specificity": None}
    return {"source": name, "licence": "none", "sensitivity": sensitivity, **sizes}


def detail(slope: dict[str, float]) -> dict[str, Any]:
    """Detail with this slope of the calibration."""
    return {
        "fixed": [],
        "mcc": around(0.5, 0.1),
        "predictive": [],
        "calibration_slope": slope,
        "calibration_intercept": around(0.3 if slope["high"] < 1 else 0.0, 0.1),
    }


@pytest.mark.parametrize(
    ("pairs", "outcome"),
    [
        (Pairs(400, 40, 12), "pass"),
        (Pairs(400, 12, 40), "fail"),
        (Pairs(12, 2, 1), "not_enough_evidence"),
    ],
)
def test_judged_inputs_of_both_decide(pairs: Pairs, outcome: str) -> None:
    assert gates.comparison(card(), card(), pairs).outcome == outcome


def test_the_paired_interval_is_the_published_one() -> None:
    """Agresti's ratings of a prime minister, 1,600 people asked twice: -0.04 with a standard error of 0.0095."""
    difference = Pairs(1600, 86, 150).difference
    assert difference.value == pytest.approx(-0.040, abs=0.0005)
    assert difference.high - difference.low == pytest.approx(2 * 0.0187, abs=0.001)


def test_without_them_the_cards_of_the_same_data_decide() -> None:
    none = Pairs(0, 0, 0)
    good, bad, vague = (card(auroc=around(value, half)) for value, half in ((0.9, 0.02), (0.8, 0.02), (0.9, 0.1)))
    assert gates.comparison(good, good, none).outcome == "pass"
    assert gates.comparison(bad, good, none).outcome == "fail"
    assert gates.comparison(vague, good, none).outcome == "not_enough_evidence"
    assert gates.comparison(good, None, none).outcome == "not_enough_evidence"
    other = good.model_copy(update={"data": good.data.model_copy(update={"fingerprint": "1" * 64})})
    assert gates.comparison(other, good, none).outcome == "not_enough_evidence"


def test_calibration() -> None:
    right, off, wide = around(1.0, 0.2), around(0.6, 0.2), around(1.0, 0.8)
    assert gates.calibration(card(detail=detail(right), calibration_error=0.02)).outcome == "pass"
    assert gates.calibration(card(detail=detail(off), calibration_error=0.09)).outcome == "fail"
    assert gates.calibration(card(detail=detail(wide), calibration_error=0.02)).outcome == "not_enough_evidence"
    assert gates.calibration(card()).outcome == "not_enough_evidence"


@pytest.mark.parametrize(
    ("state", "outcome"), [("warm", "pass"), ("refused", "fail"), ("loading", "not_enough_evidence")]
)
def test_parity(state: Any, outcome: str) -> None:
    ready = state == "warm"
    proof = Preparation(version=REF, proved_by="workers", ready=ready, standings=[Standing(worker="h:1", state=state)])
    assert gates.parity(proof).outcome == outcome


def test_subgroups() -> None:
    alike = [source("a", around(0.52, 0.05)), source("b", around(0.48, 0.05))]
    worse = [source("a", around(0.55, 0.05)), source("b", around(0.2, 0.1))]
    small = [source("a", around(0.55, 0.05)), source("b", around(0.5, 0.4))]
    assert gates.subgroups(card(per_source=alike)).outcome == "pass"
    assert gates.subgroups(card(per_source=worse)).outcome == "fail"
    assert gates.subgroups(card(per_source=small)).outcome == "not_enough_evidence"
    assert gates.subgroups(card(per_source=alike[:1])).outcome == "not_enough_evidence"


def test_shortcuts() -> None:
    def controlled(value: float) -> Card:
        control = {"name": "file size", "auroc": around(value, 0.05), "meaning": "the size alone"}
        return card(auroc=around(0.8, 0.05), controls=[control])

    assert gates.shortcuts(controlled(0.6)).outcome == "pass"
    assert gates.shortcuts(controlled(0.85)).outcome == "fail"
    assert gates.shortcuts(controlled(0.75)).outcome == "not_enough_evidence"
    assert gates.shortcuts(card()).outcome == "not_enough_evidence"
    assert "file size" in gates.shortcuts(controlled(0.85)).detail
