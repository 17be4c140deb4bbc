"""Statistics over frames: librosa's numbers where librosa has them, and indifferent to level, rate and cut."""

import numpy as np
import pytest

from shared.transforms import statistics
from shared.transforms.audio import resample
from shared.transforms.pipeline import Sheet
from shared.transforms.statistics import GROUPS, RATE, Frames, cough_statistics, normalise_level, trim_silence
from shared.transforms.synthetic import music_like, speech_like, synthetic_cough
from shared.transforms.values import FloatArray, Recording

librosa = pytest.importorskip("librosa")

SOUNDS = [synthetic_cough(1, RATE), synthetic_cough(2, RATE, 5.0), speech_like(3, RATE, 2.0), music_like(4, RATE, 1.0)]
FRAMES = {"n_fft": 256, "hop_length": 80}


def _read(sound: FloatArray, rate: int = RATE) -> FloatArray:
    recording = resample(Recording(sound, rate), Sheet(), rate=RATE)
    recording = normalise_level(trim_silence(recording, Sheet(), below=40.0), Sheet())
    return cough_statistics(recording, Sheet(), groups=list(GROUPS))


@pytest.mark.parametrize("sound", SOUNDS)
def test_frames_are_librosas(sound: FloatArray) -> None:
    frames = Frames(sound)
    mel = librosa.feature.melspectrogram(y=sound.astype(np.float64), sr=RATE, n_mels=40, **FRAMES)
    decibels = librosa.power_to_db(mel, amin=1e-9, top_db=80)
    assert np.allclose(frames.mel, decibels, atol=1e-4)
    assert np.allclose(frames.mfcc, librosa.feature.mfcc(S=decibels, n_mfcc=20), atol=1e-3)
    slopes = librosa.feature.delta(decibels, width=9)
    assert np.allclose(statistics.delta(decibels), slopes, atol=1e-4)


@pytest.mark.parametrize("sound", SOUNDS)
def test_shape_is_librosas(sound: FloatArray) -> None:
    frames = Frames(sound)
    feature, given = librosa.feature, {"S": frames.magnitude, "sr": RATE, "n_fft": 256}
    ours = statistics.shape(frames)
    assert np.allclose(ours[0], feature.spectral_centroid(**given)[0], rtol=1e-5)
    assert np.allclose(ours[1], feature.spectral_bandwidth(**given)[0], rtol=1e-4, atol=0.1)
    assert (np.abs(ours[2] - feature.spectral_rolloff(**given)[0]) < 1).mean() > 0.99
    assert np.allclose(ours[3], 10 * np.log10(feature.spectral_flatness(S=frames.magnitude)[0]), atol=1e-4)


def test_groups_have_their_sizes_and_are_finite() -> None:
    sizes = {name: len(group(Frames(SOUNDS[0]))) for name, group in GROUPS.items()}
    assert sizes == {
        "mfcc": 120, "delta": 120, "delta2": 120, "mel": 240, "shape": 36, "contrast": 36, "envelope": 23,
    }  # fmt: skip
    silence, click = np.zeros(4000, np.float32), np.eye(1, 4000, 2000, dtype=np.float32)[0]
    for sound in (silence, click, np.ones(5, np.float32), *SOUNDS):
        assert np.isfinite(_read(sound)).all()


def test_neither_level_nor_silence_at_the_ends_changes_anything() -> None:
    cough = SOUNDS[0] - SOUNDS[0].mean()
    quiet = np.zeros(RATE, np.float32)
    assert np.allclose(_read(cough), _read(cough * np.float32(0.05)), rtol=1e-2, atol=2e-2)
    trimmed = trim_silence(Recording(np.concatenate([quiet, cough, quiet]), RATE), sheet := Sheet(), below=40.0)
    assert len(trimmed.samples) <= len(cough) + 2 * 400
    assert sheet.facts["leading_silence"] == pytest.approx(1.1, abs=0.2)
    assert float(sheet.facts["trailing_silence"]) >= 0.9


def test_a_higher_sample_rate_tells_next_to_nothing() -> None:
    high = _read(synthetic_cough(5, 48000), 48000)
    low = _read(resample(Recording(synthetic_cough(5, 48000), 48000), Sheet(), rate=8000).samples)
    assert np.allclose(high, low, rtol=1e-3, atol=1e-3)


def test_bursts_are_counted() -> None:
    sound = np.full(2 * RATE, 1e-4)
    for start in (0.2, 0.8, 1.5):
        sound[round(start * RATE) : round((start + 0.1) * RATE)] = np.random.default_rng(0).normal(0, 0.3, 800)
    assert statistics.envelope(Frames(sound.astype(np.float32)))[0] == 3


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="8 kHz"):
        cough_statistics(Recording(SOUNDS[0], 16000), Sheet(), groups=["mfcc"])
