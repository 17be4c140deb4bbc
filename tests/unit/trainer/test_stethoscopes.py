"""Other stethoscopes: another sound of the same length, the same one again for the same recording."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.trainer import datasets
from services.trainer.recipe import find
from services.trainer.stethoscopes import heard_elsewhere, other_stethoscope
from shared.transforms import synthetic
from shared.transforms.values import Recording

pytestmark = pytest.mark.trainer


@pytest.mark.parametrize("seed", range(5))
def test_another_stethoscope_changes_the_sound_and_nothing_else(seed: int) -> None:
    recording = Recording(synthetic.synthetic_breath(seed, 4000, 5.0), 4000)
    heard = other_stethoscope(recording, np.random.default_rng(seed))
    assert (heard.rate, len(heard.samples)) == (4000, len(recording.samples))
    assert 0.05 <= np.abs(heard.samples).max() <= 0.951
    assert not np.allclose(heard.samples, recording.samples, atol=0.02)


def test_silence_stays_finite() -> None:
    heard = other_stethoscope(Recording(np.zeros(4000, dtype=np.float32), 4000), np.random.default_rng(1))
    assert np.isfinite(heard.samples).all()


def test_what_is_drawn_hangs_on_the_recording_alone(tiny: Callable[[str], Path]) -> None:
    rows, steps = datasets.read(tiny("lung_sound")).rows, find("lung_sound/ridges").pipeline
    forwards, backwards = heard_elsewhere(rows, steps), heard_elsewhere(rows[::-1], steps)
    assert forwards.shape == (len(rows), 395)
    assert np.array_equal(forwards, backwards[::-1])
