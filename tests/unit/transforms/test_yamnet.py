"""What a network for sounds is given of a lung sound: the ridges, and log-mel at two speeds."""

import numpy as np
import pytest

from shared.transforms import yamnet
from shared.transforms.pipeline import Sheet
from shared.transforms.ridges import FEATURES, RATE, ridge_statistics
from shared.transforms.values import FloatArray, Recording


def _tone(hertz: float, seconds: float = 15.0, level: float = 0.1) -> Recording:
    time = np.arange(round(seconds * RATE)) / RATE
    return Recording((level * np.sin(2 * np.pi * hertz * time)).astype(np.float32), RATE)


def _mels(recording: Recording) -> list[FloatArray]:
    flat = yamnet.ridges_and_mels(recording, Sheet())
    assert flat.shape == (yamnet.SIZE,)
    first = FEATURES + yamnet.FRAMES[0] * yamnet.BANDS
    return [part.reshape(-1, yamnet.BANDS) for part in (flat[FEATURES:first], flat[first:])]


def test_a_tone_lies_in_its_band_and_higher_at_double_speed() -> None:
    slow, fast = (int(part.mean(0).argmax()) for part in _mels(_tone(500)))
    _, twice = (int(part.mean(0).argmax()) for part in _mels(_tone(250)))
    assert fast > slow
    assert abs(twice - slow) <= 1  # 250 Hz at double speed is 500 Hz


def test_level_does_not_count_and_the_ridges_come_first() -> None:
    loud, quiet = _tone(400, level=0.5), _tone(400, level=0.005)
    for one, other in zip(_mels(loud), _mels(quiet), strict=True):
        assert np.allclose(one, other, atol=1e-3)
    flat = yamnet.ridges_and_mels(loud, Sheet())
    assert np.array_equal(flat[:FEATURES], ridge_statistics(loud, Sheet()))


def test_a_short_recording_is_repeated_and_silence_is_finite() -> None:
    short, long = _mels(_tone(400, seconds=3.0)), _mels(_tone(400))
    assert abs(float(short[0].mean() - long[0].mean())) < 0.1
    assert all(np.isfinite(part).all() for part in _mels(Recording(np.zeros(2 * RATE, np.float32), RATE)))
    with pytest.raises(ValueError, match="4 kHz"):
        yamnet.ridges_and_mels(Recording(np.zeros(8000, np.float32), 8000), Sheet())
