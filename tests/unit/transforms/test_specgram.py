"""The document's coloured spectrogram against matplotlib, and the steps for X-rays."""

import io

import numpy as np
import pytest
from PIL import Image

from shared.transforms import chest, specgram, synthetic
from shared.transforms.inferno import COLOURS, inferno
from shared.transforms.pipeline import Sheet
from shared.transforms.values import FloatArray, Picture, Recording

RATE = 22050
DOCUMENT = {"n_fft": 2048, "overlap": 128}


def _cough(seconds: float = 5.0) -> Recording:
    """With the noise of a microphone: without it the picture shows how the sound was rounded."""
    samples = synthetic.synthetic_cough(3, RATE, seconds)
    noise = np.random.default_rng(3).normal(0, 1e-3, len(samples))
    return Recording((samples + noise).astype(np.float32), RATE)


def _chest() -> FloatArray:
    return (synthetic.phantom_xray(2, 300, 280) / 4095).astype(np.float32)


def test_colours_are_matplotlibs() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    values = np.linspace(0, 1, 999, dtype=np.float32)[None]
    colours = matplotlib.colormaps["inferno"]
    assert np.array_equal(np.rint(COLOURS * 255), colours(np.arange(256), bytes=True)[:, :3])
    assert np.array_equal(np.rint(inferno(values)[:, 0].T * 255), colours(values[0], bytes=True)[:, :3])


@pytest.mark.parametrize("seconds", [5.0, 1.0])
def test_decibels_are_matplotlibs(seconds: float) -> None:
    mlab = pytest.importorskip("matplotlib.mlab")
    samples = _cough(seconds).samples
    theirs, _, _ = mlab.specgram(samples, NFFT=2048, Fs=2, noverlap=128)
    assert np.allclose(specgram.specgram_decibels(samples, 2048, 128), 10 * np.log10(theirs), atol=1e-3)


def test_the_picture_is_the_figure_that_the_document_saved() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    recording = _cough()
    figure = Figure(figsize=(6, 4), dpi=72)
    axes = figure.add_subplot()
    axes.specgram(recording.samples, NFFT=2048, Fs=2, Fc=0, noverlap=128, cmap="inferno", scale="dB")
    axes.axis("off")
    stream = io.BytesIO()
    figure.savefig(stream, dpi=72)
    theirs = np.asarray(Image.open(stream).convert("RGB"), dtype=np.float32).transpose(2, 0, 1) / 255
    ours = specgram.specgram(recording, Sheet(), height=288, width=432, **DOCUMENT)
    assert ours.shape == theirs.shape == (3, 288, 432)
    assert np.abs(ours - theirs).mean() < 0.02


@pytest.mark.parametrize("samples", [np.zeros(100), np.zeros(5 * RATE), np.full(3000, 0.5)])
def test_silence_and_short_sounds_give_finite_pictures(samples: FloatArray) -> None:
    recording = Recording(samples.astype(np.float32), RATE)
    picture = specgram.specgram(recording, Sheet(), height=224, width=224, **DOCUMENT)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert (picture.min(), picture.max()) >= (0, 1)


def test_a_frame_is_cut_off_and_a_picture_without_one_is_kept() -> None:
    bare = _chest()
    framed = np.pad(bare, ((20, 30), (15, 0)), constant_values=0.0)
    trimmed = chest.trim_frame(Picture(framed), Sheet()).pixels
    assert abs(trimmed.shape[0] - bare.shape[0]) <= 12
    assert trimmed.shape[1] <= framed.shape[1] - 15
    blank = chest.trim_frame(Picture(np.full((100, 80), 0.4, dtype=np.float32)), Sheet()).pixels
    assert blank.shape == (100, 80)


@pytest.mark.parametrize("shape", [(400, 300), (128, 500), (129, 128)])
def test_the_lung_field_is_bounded(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).random(shape, dtype=np.float32)
    cropped = chest.lung_field(Picture(pixels), Sheet(), margin=0.04).pixels
    assert 0.49 <= cropped.shape[0] / shape[0] <= 1
    assert 0.49 <= cropped.shape[1] / shape[1] <= 1


def test_the_lung_field_holds_the_lungs() -> None:
    pixels = np.full((200, 200), 0.9, dtype=np.float32)
    pixels[:, :12] = pixels[:, -12:] = 0.0  # air beside the body
    pixels[40:150, 40:85] = pixels[40:150, 115:160] = 0.2
    cropped = chest.lung_field(Picture(pixels), Sheet(), margin=0.02).pixels
    assert cropped.shape[0] < 150
    assert cropped.shape[1] < 140
    assert np.isclose((cropped < 0.5).sum(), (pixels[:, 12:-12] < 0.5).sum(), rtol=0.02)


def test_local_contrast_knows_neither_exposure_nor_sharpness() -> None:
    pixels = _chest()
    plain, dark, soft = (_local(version) for version in (pixels, pixels * 0.5 + 0.1, _softened(pixels)))
    assert plain.shape == pixels.shape
    assert 0 <= plain.min() < plain.max() <= 1
    assert plain.std() > pixels.std() * 0.5
    assert np.abs(dark - plain).mean() < 0.001
    assert np.abs(soft - plain).mean() < 0.05


def _local(pixels: FloatArray) -> FloatArray:
    return chest.local_contrast(Picture(pixels), Sheet(), smooth=2.0, reach=16.0, floor=0.01).pixels


def _softened(pixels: FloatArray) -> FloatArray:
    beside = (pixels, np.roll(pixels, 1, 0), np.roll(pixels, 1, 1), np.roll(pixels, (1, 1), (0, 1)))
    return np.asarray(np.mean(beside, axis=0), dtype=np.float32)
