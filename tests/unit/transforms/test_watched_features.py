"""What the checks learn of an input for drift: named in `shared/measures.py`, and moved by what should move it."""

from pathlib import Path

import numpy as np
import pytest
import soxr

from shared.measures import FEATURES, INPUTS
from shared.schemas import Modality
from shared.transforms.audio import check_audio
from shared.transforms.image import check_image
from shared.transforms.pipeline import Sheet, prepare
from shared.transforms.pipelines import REFERENCE
from shared.transforms.sample_files import cough, xray
from shared.transforms.values import Picture, Recording

LIMITS = {"min_seconds": 0.5, "max_seconds": 30.0, "min_rate": 8000}


def heard(recording: Recording) -> dict[str, float]:
    sheet = Sheet()
    check_audio(recording, sheet, **LIMITS)
    return {name: float(sheet.facts[name]) for name in ("level", "centroid", "rolloff", "edge")}


def test_a_tone_lies_where_it_is() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32) / 2
    facts = heard(Recording(tone, 16_000))
    assert facts["centroid"] == pytest.approx(1000, abs=5)
    assert facts["rolloff"] == pytest.approx(1000, abs=40)
    assert facts["level"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.1)


def test_low_passed_sound_is_seen() -> None:
    noise = np.random.default_rng(7).normal(0, 0.1, 48_000).astype(np.float32)
    low = soxr.resample(soxr.resample(noise, 16_000, 4000), 4000, 16_000).astype(np.float32)
    before, after = heard(Recording(noise, 16_000)), heard(Recording(low, 16_000))
    assert after["edge"] < 2500 < before["edge"]
    assert after["rolloff"] < before["rolloff"] / 3
    assert after["centroid"] < before["centroid"] / 2


def test_a_picture_tells_brightness_contrast_and_side() -> None:
    pixels = np.linspace(0, 1, 300 * 400, dtype=np.float32).reshape(300, 400)
    sheet = Sheet()
    check_image(Picture(pixels), sheet, min_side=128)
    assert sheet.facts["brightness"] == pytest.approx(0.5, abs=0.01)
    assert sheet.facts["contrast"] == pytest.approx(0.98, abs=0.01)
    assert sheet.facts["side"] == 300


@pytest.mark.parametrize(
    ("modality", "body", "media_type"),
    [(Modality.COUGH, cough("WAV"), "audio/wav"), (Modality.CHEST_XRAY, xray("PNG"), "image/png")],
)
def test_a_pipeline_gives_every_feature_of_its_modality(
    modality: Modality, body: bytes, media_type: str, tmp_path: Path
) -> None:
    file = tmp_path / "input"
    file.write_bytes(body)
    facts = prepare(file, media_type, REFERENCE[modality]).facts
    wanted = {measure.name for measure in INPUTS if modality in measure.modalities}
    assert {name for name in FEATURES if name in facts} == wanted
