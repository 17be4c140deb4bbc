"""Whatever a trainer of ours writes into a card has a sentence in Chinese; what anybody else writes stays as it is."""

import re

import pytest

from services.trainer import controls
from services.trainer.recipe import recipes
from services.trainer.sources import SOURCES, known
from services.trainer.unseen import Unseen
from shared.deployments import STARTER
from shared.schemas import Card, Interval, Modality
from shared.sentences import Language, speaking
from shared.sentences.cards import carded, is_english

CHINESE = re.compile(r"[\u4e00-\u9fff]")
RATE = Interval(value=0.5, low=0.4, high=0.6)


def chinese(text: str) -> str:
    with speaking(Language.CHINESE):
        return carded(text)


def untold(texts: list[str]) -> list[str]:
    return [text for text in texts if not CHINESE.search(chinese(text))]


@pytest.mark.parametrize("modality", list(Modality))
def test_a_starter_versions_card_is_told_but_for_whose_data_it_was(modality: Modality) -> None:
    card = Card.model_validate_json((STARTER / modality / "card.json").read_text())
    said = [card.intended_use, card.population.description, card.metrics.protocol, card.input.summary, *card.limits]
    said += [card.training.initialisation, *([card.warning] if card.warning else [])]
    said += [text for control in card.metrics.controls for text in (control.name, control.meaning)]
    assert untold(said) == []
    assert chinese(card.notice) == card.notice


def test_every_recipe_and_source_is_told() -> None:
    known_to = list(recipes().values())
    said = [text for recipe in known_to for text in (recipe.population.description, recipe.input.summary)]
    said += [limit for recipe in known_to for limit in recipe.limits]
    said += [f"{name}: {known(name).caveat}." for name in (*SOURCES, "elsewhere")]
    said += [text for recipe in known_to for name, one in recipe.controls.items() for text in (name, one.meaning)]
    said += [Unseen("elsewhere", present, 40, RATE, RATE).sentence for present in (True, False)]
    said += [text for name, one in controls.ANY.items() for text in (name, one.meaning)]
    assert untold(said) == []


def test_a_warning_keeps_its_figures_and_tells_its_names() -> None:
    warning = (
        "The figures are not evidence that disease is recognised: trivial readings of the files do as well as the "
    )
    told = chinese(f"{warning}model (AUROC: model 0.70; file size 0.78, cut 0.77).")
    assert "模型 0.70；文件大小 0.78、首尾静音 0.77" in told


def test_a_trainers_own_words_stay_and_are_marked() -> None:
    own = "Trained at our own hospital, on 40 recordings."
    assert carded(own) == own
    assert not is_english(own)
    with speaking(Language.CHINESE):
        assert carded(own) == own
        assert is_english(own)
        assert not is_english(carded("source"))
