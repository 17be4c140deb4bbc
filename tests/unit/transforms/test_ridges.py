"""Ridge statistics: a wheeze stands out, a level and a smooth response do not, nothing is ever infinite."""

import numpy as np
import pytest

from shared.transforms import ridges, synthetic
from shared.transforms.pipeline import Sheet
from shared.transforms.values import FloatArray, Recording


def _statistics(samples: FloatArray) -> FloatArray:
    return ridges.ridge_statistics(Recording(samples.astype(np.float32), ridges.RATE), Sheet())


def _strongest(statistics: FloatArray) -> float:
    """98th percentile (the seventh of nine statistics) of the best path over all bands (row 30 of 35)."""
    return float(statistics[6 * 35 + 30])


@pytest.mark.parametrize("seed", range(3))
def test_a_wheeze_is_a_strong_line(seed: int) -> None:
    with_wheeze, without = (
        _strongest(_statistics(synthetic.synthetic_breath(seed, 4000, 9.0, wheeze=wheeze))) for wheeze in (True, False)
    )
    assert with_wheeze > without + 8


def test_a_line_must_last() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 4 * 4000)
    tone = 0.2 * np.sin(2 * np.pi * 400 * np.arange(len(noise)) / 4000)
    click, whole = noise + tone * (np.arange(len(noise)) < 200), noise + tone
    assert _strongest(_statistics(whole.astype(np.float32))) > _strongest(_statistics(click.astype(np.float32))) + 8


def test_level_does_not_count() -> None:
    quiet = synthetic.synthetic_breath(1, 4000, 15.0, wheeze=True) * np.float32(0.1)
    assert np.allclose(_statistics(quiet), _statistics(quiet * 8), atol=0.05)


def test_a_smooth_response_counts_little() -> None:
    sound = synthetic.synthetic_breath(1, 4000, 15.0, wheeze=True)
    differentiated = np.diff(sound, prepend=sound[:1])  # 6 dB an octave
    assert abs(_strongest(_statistics(sound)) - _strongest(_statistics(differentiated))) < 2


@pytest.mark.parametrize("samples", [np.zeros(8000), np.full(8000, 0.5), np.ones(100), np.eye(1, 60_000)[0]])
def test_silence_and_short_sounds_give_finite_numbers(samples: FloatArray) -> None:
    statistics = _statistics(samples)
    assert statistics.shape == (ridges.FEATURES,)
    assert np.isfinite(statistics).all()


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="4 kHz"):
        ridges.ridge_statistics(Recording(np.zeros(8000, dtype=np.float32), 8000), Sheet())
