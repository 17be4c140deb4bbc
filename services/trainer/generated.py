"""Generated inputs read through a recipe's pipeline: golden samples, and junk that the novelty score should refer."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from services.trainer import junk_pictures
from services.trainer.prepared import prepare_file
from shared.errors import InputRejected
from shared.schemas import Modality, Step
from shared.transforms import synthetic
from shared.transforms.picture import stft_picture
from shared.transforms.pipeline import Sheet
from shared.transforms.values import Recording

Floats = NDArray[np.float32]
Writer = Callable[[Path], None]
_RATE = 16000


def golden(modality: Modality, steps: Sequence[Step]) -> Floats:
    """Three generated inputs (3, *shape), rounded to float16 so that they can be stored so."""
    tensors, _ = _prepare(_SPECTROGRAMS if _shows_sound(modality, steps) else _GOLDEN[modality], steps)
    return np.stack(tensors).astype(np.float16).astype(np.float32)


def junk(modality: Modality, steps: Sequence[Step]) -> tuple[Floats, int]:
    """Inputs (n, *shape) that are no study of this modality, and how many more the pipeline itself rejected."""
    kind = Modality.CHEST_XRAY if _shows_sound(modality, steps) else modality  # pictures of all kinds
    tensors, rejected = _prepare(_JUNK[kind], steps)
    return np.stack(tensors), rejected


def _prepare(writers: Sequence[Writer], steps: Sequence[Step]) -> tuple[list[Floats], int]:
    tensors, rejected = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated"
        for write in writers:
            write(path)
            try:
                tensors.append(prepare_file(path, steps)[0])
            except InputRejected:
                rejected += 1
    return tensors, rejected


def _shows_sound(modality: Modality, steps: Sequence[Step]) -> bool:
    """Whether these steps read a sound's spectrogram from a picture file."""
    return modality is Modality.LUNG_SOUND and steps[0].transform == "decode_image"


def _spectrogram(seed: int) -> NDArray[np.uint8]:
    """(129, 934): the document's picture of a generated breath."""
    picture = stft_picture(Recording(_breath(seed), _RATE), Sheet(), n_fft=1024, hop=256)
    return (255 * picture.pixels[:129]).astype(np.uint8)


def _sound(make: Callable[[int], Floats], seed: int) -> Writer:
    return lambda path: soundfile.write(str(path), make(seed), _RATE, format="WAV", subtype="PCM_16")


def _picture(make: Callable[[int], NDArray[np.uint8]], seed: int) -> Writer:
    return lambda path: Image.fromarray(make(seed)).save(path, format="PNG")


def _noise(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.1, 6 * _RATE).astype(np.float32)


def _tone(seed: int) -> Floats:
    hertz = np.random.default_rng(seed).uniform(80, 1800)
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(6 * _RATE) / _RATE)).astype(np.float32)


def _cough(seed: int) -> Floats:
    return synthetic.synthetic_cough(seed, _RATE)


def _breath(seed: int) -> Floats:
    return synthetic.synthetic_breath(seed, _RATE, 15.0, wheeze=bool(seed % 2))


def _each(
    kind: Callable[..., Writer], makers: Sequence[Callable[[int], NDArray[np.generic]]], count: int
) -> list[Writer]:
    return [kind(make, seed) for make in makers for seed in range(count)]


_SOUND_JUNK = (synthetic.music_like, synthetic.speech_like, _noise, _tone)
_GOLDEN: dict[Modality, list[Writer]] = {
    Modality.COUGH: _each(_sound, [_cough], 3),
    Modality.LUNG_SOUND: _each(_sound, [_breath], 3),
    Modality.CHEST_XRAY: _each(_picture, [junk_pictures.chest], 3),
}
_SPECTROGRAMS = _each(_picture, [_spectrogram], 3)
_JUNK: dict[Modality, list[Writer]] = {
    Modality.COUGH: _each(_sound, _SOUND_JUNK, 5),
    Modality.LUNG_SOUND: _each(_sound, (*_SOUND_JUNK, _cough), 5),
    Modality.CHEST_XRAY: _each(_picture, junk_pictures.MAKERS, 5),
}
