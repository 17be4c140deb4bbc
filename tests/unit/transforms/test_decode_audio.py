"""Sound files: channels, levels, ends, encodings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shared.errors import InputRejected
from shared.transforms import sample_files as files
from shared.transforms.audio import check_audio, crop, decode_audio, fit_length, resample
from shared.transforms.containers import is_cut
from shared.transforms.picture import resize_picture, stft_picture
from shared.transforms.pipeline import Sheet
from shared.transforms.synthetic import synthetic_breath, synthetic_cough
from shared.transforms.values import Picture, Recording, Source

TYPES = {"WAV": "audio/wav", "FLAC": "audio/flac", "MP3": "audio/mpeg", "OGG": "audio/ogg"}
LIMITS: dict[str, Any] = {"min_seconds": 0.5, "max_seconds": 30.0, "min_rate": 8000}


def tone(seconds: float = 2.0, rate: int = 16000, level: float = 0.3, hertz: float = 3000) -> Recording:
    noise = np.random.default_rng(0).normal(0, level / 30, round(seconds * rate))
    time = np.arange(round(seconds * rate)) / rate
    return Recording((level * np.sin(2 * np.pi * hertz * time) + noise).astype(np.float32), rate)


def read(tmp_path: Path, data: bytes, media_type: str) -> tuple[Recording, Sheet]:
    path, sheet = tmp_path / "sound", Sheet()
    path.write_bytes(data)
    return decode_audio(Source(path, media_type), sheet), sheet


def codes(sheet: Sheet) -> list[str]:
    return [note.code for note in sheet.quality]


@pytest.mark.parametrize("file_format", TYPES)
def test_every_container_gives_the_same_sound(tmp_path: Path, file_format: str) -> None:
    original = synthetic_cough(7, 16000)
    recording, sheet = read(tmp_path, files.cough(file_format), TYPES[file_format])
    assert recording.rate == 16000
    assert len(recording.samples) == len(original)
    assert np.corrcoef(recording.samples, original)[0, 1] > 0.97
    assert sheet.facts == {"sample_rate": 16000, "channels": 1, "seconds": 3.0}


@pytest.mark.parametrize("encoding", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_wav_encoding(tmp_path: Path, encoding: str) -> None:
    samples = tone().samples
    recording, _ = read(tmp_path, files.sound(samples, 16000, "WAV", encoding), "audio/wav")
    assert np.abs(recording.samples - samples).max() < (0.01 if encoding == "PCM_U8" else 1e-4)


@pytest.mark.parametrize(
    ("left", "right", "taken", "noted"),
    [(0.01, 0.5, "right", True), (0.5, 0.01, "left", True), (0.4, 0.3, "mean", False), (0.4, -0.4, "left", True)],
)
def test_two_channels(tmp_path: Path, left: float, right: float, taken: str, noted: bool) -> None:
    wave = tone(level=1.0).samples
    both = np.stack([left * wave, right * wave], axis=1).astype(np.float32)
    recording, sheet = read(tmp_path, files.sound(both, 16000, "WAV", "FLOAT"), "audio/wav")
    expected = {"left": both[:, 0], "right": both[:, 1], "mean": both.mean(axis=1)}[taken]
    assert np.allclose(recording.samples, expected, atol=1e-6)
    assert (codes(sheet) == ["quality.louder_channel"]) is noted


@pytest.mark.parametrize("file_format", TYPES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_an_end_that_is_missing(tmp_path: Path, file_format: str, share: float) -> None:
    data = files.cough(file_format)
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, data[: int(len(data) * share)], TYPES[file_format])
    assert caught.value.code == "input_truncated"


def test_a_flac_damaged_in_the_middle_is_not_truncated(tmp_path: Path) -> None:
    data = bytearray(files.cough("FLAC"))
    data[20_000:20_050] = bytes(50)
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, bytes(data), "audio/flac")
    assert caught.value.code == "input_unreadable"


def test_a_wav_whose_length_was_never_filled_in(tmp_path: Path) -> None:
    data = bytearray(files.cough("WAV"))
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    recording, _ = read(tmp_path, bytes(data), "audio/wav")
    assert recording.seconds == pytest.approx(3.0)


def test_whole_files_are_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "sound"
    for file_format, media_type in TYPES.items():
        path.write_bytes(files.cough(file_format))
        assert not is_cut(path, media_type)
    path.write_bytes(files.cough("RF64"))
    assert not is_cut(path, "audio/wav")
    path.write_bytes(files.cough("RF64")[:-10])
    assert is_cut(path, "audio/wav")


def test_a_header_that_promises_hours_takes_no_memory(tmp_path: Path) -> None:
    data = bytearray(files.cough("FLAC"))
    data[21:26] = bytes([data[21] & 0xF0, 0x7F, 0xFF, 0xFF, 0xFF])  # total samples in STREAMINFO
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, bytes(data), "audio/flac")
    assert caught.value.code == "audio_too_long"


def test_a_type_that_the_content_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, files.cough("FLAC"), "audio/ogg")
    assert caught.value.code in {"input_unreadable", "input_truncated"}


def test_no_samples_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, files.sound(np.zeros(0, np.float32), 16000, "WAV"), "audio/wav")
    assert caught.value.code == "audio_too_short"


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        (tone(seconds=0.2), "audio_too_short"),
        (tone(seconds=31, rate=8000), "audio_too_long"),
        (tone(rate=4000, hertz=500), "audio_rate_too_low"),
        (tone(level=5e-4), "audio_silent"),
        (Recording(np.zeros(16000, np.float32), 16000), "audio_silent"),
        (Recording(np.clip(20 * tone().samples, -1, 1), 16000), "audio_clipped"),
    ],
)
def test_unusable(recording: Recording, code: str) -> None:
    with pytest.raises(InputRejected) as caught:
        check_audio(recording, Sheet(), **LIMITS)
    assert caught.value.code == code


def test_digital_silence_around_a_cough_is_no_silence() -> None:
    samples = np.concatenate([np.zeros(16000 * 20), 0.002 * tone(seconds=0.5, level=1).samples]).astype(np.float32)
    sheet = Sheet()
    check_audio(Recording(samples, 16000), sheet, **LIMITS)
    assert codes(sheet) == ["quality.quiet"]


def test_some_clipping_is_noted() -> None:
    samples = tone().samples.copy()
    samples[:640] = 1.0
    sheet = Sheet()
    check_audio(Recording(samples, 16000), sheet, **LIMITS)
    assert codes(sheet) == ["quality.clipped"]
    assert sheet.quality[0].values == {"percent": 2.0}


def test_a_telephone_recording_sold_as_48_khz() -> None:
    sheet = Sheet()
    upsampled = resample(tone(rate=8000), Sheet(), rate=48000)
    check_audio(upsampled, sheet, **LIMITS)
    assert codes(sheet) == ["quality.narrow_band"]
    assert 3500 < float(sheet.quality[0].values["hertz"]) < 4500
    own_rate = Sheet()
    check_audio(tone(rate=8000), own_rate, **LIMITS)
    assert codes(own_rate) == []


def test_lengths() -> None:
    recording, sheet = tone(seconds=2), Sheet()
    assert crop(recording, sheet, seconds=5) is recording
    assert crop(recording, sheet, seconds=1).seconds == 1
    assert codes(sheet) == ["quality.cut"]
    fitted = fit_length(recording, Sheet(), seconds=5)
    assert len(fitted.samples) == 80_000
    assert np.array_equal(fitted.samples[32_000:64_000], recording.samples)
    assert len(resample(recording, Sheet(), rate=22050).samples) == 44_100


def test_the_documented_picture_of_a_lung_sound() -> None:
    recording = Recording(synthetic_breath(1, 4000, wheeze=True), 4000)
    picture = stft_picture(recording, Sheet(), n_fft=256, hop=64)
    assert picture.pixels.shape == (129, 934)
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() == 1
    quiet, loud = (synthetic_breath(1, 4000, wheeze=wheeze) for wheeze in (False, True))
    rows = [
        stft_picture(Recording(sound, 4000), Sheet(), n_fft=256, hop=64).pixels[22:30].max(axis=0)
        for sound in (quiet, loud)
    ]
    assert rows[1].mean() > rows[0].mean() + 0.02
    short = stft_picture(Recording(recording.samples[:100], 4000), Sheet(), n_fft=256, hop=64)
    assert short.pixels.shape == (129, 1)


def test_resizing_is_antialiased_and_stays_in_range() -> None:
    stripes = Picture(np.tile(np.array([0, 1], np.float32), (200, 100)))
    small = resize_picture(stripes, Sheet(), height=20, width=20).pixels
    assert small.shape == (20, 20)
    assert np.allclose(small, 0.5, atol=0.06)


def test_libsndfile_reads_what_the_table_says() -> None:
    assert {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"} <= set(soundfile.available_formats())
