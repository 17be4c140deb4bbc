"""Pictures for the pages, and the generated inputs that they show."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import InputRejected
from shared.transforms import sample_files as files
from shared.transforms.rendition import Kind, render
from shared.transforms.synthetic import (
    music_like,
    phantom_xray,
    photograph_like,
    speech_like,
    synthetic_breath,
    synthetic_cough,
)
from shared.transforms.values import FloatArray


def draw(tmp_path: Path, data: bytes, media_type: str, kind: Kind) -> Image.Image:
    path = tmp_path / "input"
    path.write_bytes(data)
    first, second = render(path, media_type, kind), render(path, media_type, kind)
    assert first == second
    return Image.open(io.BytesIO(first), formats=["PNG"])


def test_xray(tmp_path: Path) -> None:
    large = files.picture(np.asarray(phantom_xray(1, 600, 1500) >> 4, dtype=np.uint8), "PNG")
    image = draw(tmp_path, large, "image/png", "picture")
    assert image.mode == "L"
    assert image.size == (1024, 410)
    assert draw(tmp_path, files.xray_dicom(), "application/dicom", "picture").size == (640, 640)


@pytest.mark.parametrize("data", [files.cough("WAV"), files.cough("WAV", seconds=0.02), files.silence()])
def test_waveform(tmp_path: Path, data: bytes) -> None:
    image = draw(tmp_path, data, "audio/wav", "waveform")
    assert image.mode == "RGBA"
    assert image.size == (1200, 240)
    cover = np.asarray(image)[..., 3]
    assert (cover.max(axis=0) > 0).all()
    assert cover[0].max() == 0


@pytest.mark.parametrize("data", [files.cough("WAV"), files.cough("WAV", seconds=0.02), files.silence()])
def test_spectrogram(tmp_path: Path, data: bytes) -> None:
    image = draw(tmp_path, data, "audio/wav", "spectrogram")
    assert image.mode == "RGB"
    assert image.size == (1200, 240)


def test_low_notes_are_below(tmp_path: Path) -> None:
    time = np.arange(32_000) / 16_000
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    light = np.asarray(draw(tmp_path, files.sound(tone, 16_000, "WAV"), "audio/wav", "spectrogram")).sum(axis=(1, 2))
    assert 200 < int(light.argmax()) < 220  # 1 kHz of 8: an eighth from below


def test_a_damaged_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputRejected):
        draw(tmp_path, files.damaged_png(), "image/png", "picture")


@pytest.mark.parametrize("make", [synthetic_cough, synthetic_breath, music_like, speech_like])
@pytest.mark.parametrize("rate", [4000, 16_000])
def test_generated_sounds(make: object, rate: int) -> None:
    assert callable(make)
    sound: FloatArray = make(3, rate, 2.0)
    assert sound.shape == (2 * rate,)
    assert sound.dtype == np.float32
    assert 0.4 < np.abs(sound).max() <= 0.61
    assert np.array_equal(sound, make(3, rate, 2.0))
    assert not np.array_equal(sound, make(4, rate, 2.0))


def test_generated_pictures() -> None:
    phantom = phantom_xray(1, 128, 96)
    assert phantom.shape == (128, 96)
    assert phantom.dtype == np.uint16
    assert phantom.max() <= 4095
    assert phantom[50:80, 20:30].mean() < phantom[50:80, 46:50].mean()  # lung darker than spine
    assert np.array_equal(phantom, phantom_xray(1, 128, 96))
    assert photograph_like(1).shape == (480, 640, 3)
