"""Versions of every recipe can be explained: their pipelines and shapes, with a graph whose score is a weighted sum."""

from pathlib import Path

import numpy as np
import pytest

from services.trainer.recipe import recipes
from services.worker.sandbox import Ready
from shared.schemas import Modality
from shared.transforms import sample_files
from shared.transforms.pipeline import prepare
from tests.support import versions
from tests.unit.worker.test_explain import planted, reasoned

pytestmark = pytest.mark.trainer
_FILES = {
    Modality.CHEST_XRAY: (sample_files.xray_dicom, "application/dicom"),
    Modality.COUGH: (lambda: sample_files.cough("WAV"), "audio/wav"),
    Modality.LUNG_SOUND: (lambda: sample_files.lung_sound("WAV"), "audio/wav"),
}


@pytest.mark.parametrize("name", list(recipes()))
def test_what_is_taken_away_is_what_the_score_loses(name: str, tmp_path: Path) -> None:
    recipe = recipes()[name]
    body, media_type = _FILES[recipe.modality]
    path = tmp_path / "input"
    path.write_bytes(body())
    prepared = prepare(path, media_type, recipe.pipeline)
    shape = list(prepared.tensor.shape)
    card = versions.card(recipe.modality, name, "planted", shape, recipe.finding, [], [], [], list(recipe.pipeline))
    weights = np.random.default_rng(7).standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape))
    loaded = planted(tmp_path, weights, card)
    found = reasoned(loaded, Ready(prepared.tensor, [], prepared.facts, 0.0))
    answer = found.answer
    if len(shape) == 1:
        assert answer.contributions is not None
        moved = sum(one.value for one in answer.contributions)
        assert moved == pytest.approx(answer.score - answer.empty_score, rel=1e-3, abs=1e-2)
        return
    assert answer.heat_map is not None
    assert answer.passes <= 256
    assert np.isfinite(answer.heat_map.values).all()
    top, left, bottom, right = answer.heat_map.box
    assert 0 <= left < right <= 1.000001
    assert top < bottom <= 1.000001
    assert found.heat is not None
    if recipe.modality is not Modality.CHEST_XRAY:
        assert answer.heat_map.seconds is not None
        assert answer.heat_map.seconds[1] <= float(prepared.facts["seconds"])
