"""The version page shows a card's further figures, and does without them where a card has none."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.api.web.render import page
from services.api.web.shown import ShownVersion
from shared.registry import verify
from shared.schemas import Card, Conformal, Coverage, Detail, FixedRate, Interval, Modality, PredictiveValues

_RATE = Interval(value=0.61, low=0.52, high=0.7)


def _detail() -> Detail:
    group = Coverage(group="with the finding", n=40, covered=_RATE, undecided=_RATE)
    return Detail(
        fixed=[FixedRate(rate="sensitivity", at=0.9, value=_RATE)],
        mcc=_RATE,
        predictive=[PredictiveValues(prevalence=0.05, ppv=_RATE, npv=_RATE)],
        calibration_slope=_RATE,
        calibration_intercept=_RATE,
        contradicted=_RATE,
        conformal=Conformal(alpha=0.05, lower=0.2, upper=0.8, size=1.4, groups=[group]),
    )


def _page(card: Card) -> str:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    shown = ShownVersion("0" * 64, card, "active", now, None, None)
    return bytes(page("version.html", version=shown).body).decode()


@pytest.fixture
def card(tiny_versions: dict[Modality, Path]) -> Card:
    return verify(tiny_versions[Modality.COUGH]).card


def test_further_figures_are_shown(card: Card) -> None:
    metrics = card.metrics.model_copy(update={"detail": _detail()})
    shown = _page(card.model_copy(update={"metrics": metrics}))
    assert "Sensitivity where specificity is 0.90" in shown
    assert "where 5% have it (PPV)" in shown
    assert "right 0.61 (0.52–0.70), a person looks 0.61 (0.52–0.70), n = 40" in shown
    assert "page." not in shown


def test_a_card_without_them_is_shown_too(card: Card) -> None:
    assert "More figures" not in _page(card)
