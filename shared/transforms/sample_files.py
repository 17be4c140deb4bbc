"""The bytes of the sample files, good and bad. All generated: see `synthetic`."""

import io
import struct
import zipfile
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image

from shared.transforms.synthetic import (
    music_like,
    phantom_xray,
    photograph_like,
    speech_like,
    synthetic_breath,
    synthetic_cough,
)
from shared.transforms.synthetic_dicom import dicom_bytes

_SEED = 7
_RATE = 16000
_UNKNOWN_SYNTAX = "1.2.826.0.1.3680043.10.1.99"
_HUGE = 50_000


@lru_cache(maxsize=4)
def _phantom(height: int = 640, width: int = 640) -> npt.NDArray[np.uint16]:
    return phantom_xray(_SEED, height, width)


def half(data: bytes) -> bytes:
    """The first half of a file."""
    return data[: len(data) // 2]


def xray(file_format: str) -> bytes:
    """The phantom as an 8-bit picture."""
    return picture(np.asarray(_phantom() >> 4, dtype=np.uint8), file_format)


def xray_deep_png() -> bytes:
    """The phantom with 16 bits a pixel."""
    return picture(_phantom() * np.uint16(16), "PNG")


def picture(pixels: npt.NDArray[Any], file_format: str) -> bytes:
    """Any array that Pillow knows as a file of the format."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=file_format)
    return file.getvalue()


def xray_dicom(**header: Any) -> bytes:
    """The phantom as an uncompressed CR of the chest."""
    return dicom_bytes(_phantom(), **header)


def xray_inverted() -> bytes:
    """The phantom as MONOCHROME1 with a window: the stored values are turned round."""
    window: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096}
    return dicom_bytes(np.uint16(4095) - _phantom(), PhotometricInterpretation="MONOCHROME1", **window)


def xray_without_pixels() -> bytes:
    """A header alone, as a report or a note has it."""
    return dicom_bytes(None, Modality="SR", BodyPartExamined=None)


def xray_oversized() -> bytes:
    """A header that promises 65,535 x 65,535 pixels, with 8 bytes of them."""
    return dicom_bytes(np.zeros((2, 2), np.uint16), Rows=65_535, Columns=65_535)


def xray_multiframe() -> bytes:
    """Two frames in one file."""
    frame = _phantom(256, 256).astype("<u2").tobytes()
    return dicom_bytes(_phantom(256, 256), NumberOfFrames=2, PixelData=frame * 2)


def xray_unknown_syntax() -> bytes:
    """Compressed in a way that nobody registered."""
    return dicom_bytes(_phantom(256, 256), syntax=_UNKNOWN_SYNTAX)


def damaged_png() -> bytes:
    """The signature and header of a PNG with noise where the picture should be."""
    noise = np.random.default_rng(_SEED).integers(0, 256, 4096, dtype=np.uint8).tobytes()
    return _png_head(512, 512, depth=8) + _chunk(b"IDAT", noise) + _chunk(b"IEND", b"")


def huge_png() -> bytes:
    """A valid PNG of 50,000 x 50,000 black pixels in about 300 kB."""
    deflater = zlib.compressobj(1)
    row = bytes(1 + _HUGE // 8)
    packed = [deflater.compress(row * 1000) for _ in range(_HUGE // 1000)]
    return (
        _png_head(_HUGE, _HUGE, depth=1) + _chunk(b"IDAT", b"".join(packed) + deflater.flush()) + _chunk(b"IEND", b"")
    )


def tiny_png() -> bytes:
    """64 x 48 pixels."""
    return picture(np.asarray(_phantom(48, 64) >> 4, dtype=np.uint8), "PNG")


def blank_png() -> bytes:
    """One gray tone."""
    return picture(np.full((512, 512), 128, np.uint8), "PNG")


def photograph() -> bytes:
    """A landscape in colour."""
    return picture(photograph_like(_SEED), "JPEG")


def archive() -> bytes:
    """A zip with an X-ray in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(zipfile.ZipInfo("chest_xray.png"), xray("PNG"))
    return file.getvalue()


def cough(file_format: str, *, seconds: float = 3.0) -> bytes:
    """A few coughs at 16 kHz."""
    samples = synthetic_cough(_SEED, _RATE, 3.0)[: round(seconds * _RATE)]
    return sound(samples, _RATE, file_format)


def lung_sound(file_format: str, *, rate: int = 4000, wheeze: bool = False) -> bytes:
    """15 s of breathing."""
    return sound(synthetic_breath(_SEED, rate, wheeze=wheeze), rate, file_format)


def sound(samples: npt.NDArray[np.float32], rate: int, file_format: str, encoding: str | None = None) -> bytes:
    """Samples (n,) or (n, channels) as a file of the format."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=file_format, subtype=encoding)
    return file.getvalue()


def cough_stereo() -> bytes:
    """The patient on the right channel, faint noise on the left one."""
    samples = synthetic_cough(_SEED, _RATE)
    faint = np.random.default_rng(_SEED).normal(0, 1e-3, len(samples))
    return sound(np.stack([faint, samples], axis=1).astype(np.float32), _RATE, "WAV")


def cough_with_nan() -> bytes:
    """Floating-point samples, some of which are not numbers."""
    samples = synthetic_cough(_SEED, _RATE)
    samples[1000:1010] = np.nan
    return sound(samples, _RATE, "WAV", "FLOAT")


def cough_clipped() -> bytes:
    """Forty times too loud."""
    return sound(np.clip(40 * synthetic_cough(_SEED, _RATE), -1, 1), _RATE, "WAV")


def cough_long() -> bytes:
    """31 s."""
    return sound(np.resize(synthetic_cough(_SEED, 8000), 31 * 8000), 8000, "FLAC")


def silence() -> bytes:
    """Three seconds of digital silence."""
    return sound(np.zeros(3 * _RATE, np.float32), _RATE, "WAV")


def four_channels() -> bytes:
    """One cough on four channels."""
    return sound(np.stack([synthetic_cough(_SEED, _RATE)] * 4, axis=1), _RATE, "WAV")


def mu_law() -> bytes:
    """A telephone encoding."""
    return sound(synthetic_cough(_SEED, 8000), 8000, "WAV", "ULAW")


def music() -> bytes:
    """Chords."""
    return sound(music_like(_SEED), _RATE, "WAV")


def speech() -> bytes:
    """Syllables."""
    return sound(speech_like(_SEED), _RATE, "WAV")


def _png_head(width: int, height: int, *, depth: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
