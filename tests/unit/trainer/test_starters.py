"""The versions that a fresh installation answers with."""

from pathlib import Path

import pytest

from services.trainer.sources import not_shippable
from services.trainer.starters import STARTERS
from shared.registry import verify
from shared.runtimes import load

pytestmark = pytest.mark.trainer

FOLDER = Path(__file__).parents[3] / "shared" / "starter"
LIMIT = 16 * 2**20


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_verifies_loads_and_proves_its_golden_samples(name: str) -> None:
    artefact = verify(FOLDER / name)
    load(artefact, threads=1)
    card = artefact.card
    assert card.recipe == STARTERS[name][0]
    assert card.training.mode == "sound"
    assert not set(card.data.sources) & not_shippable()
    assert all(source in (artefact.folder / "NOTICE.md").read_text() for source in card.data.sources)
    assert card.limits


def test_all_starters_together_are_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= LIMIT
