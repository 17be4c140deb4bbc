"""The 26 features are librosa's numbers. librosa itself runs here only."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from shared.transforms.audio import crop, decode_audio, resample
from shared.transforms.features import NAMES, cough_features
from shared.transforms.pipeline import Sheet
from shared.transforms.synthetic import music_like, speech_like, synthetic_breath, synthetic_cough
from shared.transforms.values import FloatArray, Recording, Source

librosa = pytest.importorskip("librosa")

RELATIVE = 1e-5
# Near zero a relative difference says nothing: librosa's own single precision is worth some 1e-6 dB there.
ABSOLUTE = {name: 5e-6 * (name.startswith("mfcc")) for name in NAMES}


def one_by_one(recording: Recording) -> npt.NDArray[np.float64]:
    """As the source document calls librosa."""
    sound = {"y": recording.samples, "sr": recording.rate}
    feature = librosa.feature
    frames = (
        feature.chroma_stft(**sound),
        feature.rms(y=recording.samples),
        feature.spectral_centroid(**sound),
        feature.spectral_bandwidth(**sound),
        feature.spectral_rolloff(**sound),
        feature.zero_crossing_rate(recording.samples),
    )
    return np.array([values.mean() for values in frames] + list(feature.mfcc(**sound).mean(axis=1)))


def assert_same(recording: Recording) -> None:
    ours, theirs = cough_features(recording, Sheet()), one_by_one(recording)
    assert ours.shape == (26,)
    for name, mine, reference in zip(NAMES, ours, theirs, strict=True):
        assert mine == pytest.approx(reference, rel=RELATIVE, abs=ABSOLUTE[name]), name


def with_silence(sound: FloatArray) -> FloatArray:
    """Digital silence before, in the middle and after."""
    gap = np.zeros(9000, np.float32)
    half = len(sound) // 2
    return np.concatenate([gap, sound[:half], gap, sound[half:], gap])


@pytest.mark.parametrize(
    "sound",
    [
        synthetic_cough(1, 22050),
        synthetic_cough(2, 22050, 5.0),
        synthetic_breath(3, 22050, 4.0, wheeze=True),
        music_like(4, 22050, 3.0),
        speech_like(5, 22050, 3.0),
        with_silence(synthetic_cough(6, 22050)),
        np.random.default_rng(7).normal(0, 0.1, 22050).astype(np.float32),
        np.sin(2 * np.pi * 440 * np.arange(30_000) / 22050).astype(np.float32),
        np.zeros(22050, np.float32),
    ],
    ids=["cough", "coughs", "wheeze", "music", "speech", "silence inside", "noise", "tone", "silence"],
)
@pytest.mark.filterwarnings("ignore:Trying to estimate tuning from empty frequency set")
def test_generated_sound(sound: FloatArray) -> None:
    assert_same(Recording(sound, 22050))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.filterwarnings("ignore:Empty filters detected in mel frequency basis")
def test_other_rates(rate: int) -> None:
    assert_same(Recording(synthetic_cough(8, rate), rate))


@pytest.mark.data
def test_real_coughs(data: Path) -> None:
    """Forty from both collections; a single one off by a bar of the tuning histogram would fail."""
    folder = data / "cough" / "covid19_cough"
    paths = sorted(folder.glob("covid/*.mp3"))[::22] + sorted(folder.glob("not_covid/*.mp3"))[::20]
    assert len(paths) > 30
    for path in paths:
        recording = crop(decode_audio(Source(path, "audio/mpeg"), Sheet()), Sheet(), seconds=5.0)
        resampled = resample(recording, Sheet(), rate=22050)
        theirs = librosa.resample(recording.samples, orig_sr=recording.rate, target_sr=22050)
        assert np.array_equal(resampled.samples, theirs)
        assert_same(resampled)
