"""PNG, JPEG, TIFF: every depth and mode gives the same brightness."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.errors import InputRejected
from shared.transforms import sample_files as files
from shared.transforms.image import check_image
from shared.transforms.pipeline import Sheet, run_steps
from shared.transforms.pipelines import PIPELINES
from shared.transforms.synthetic import phantom_xray, photograph_like
from shared.transforms.values import FloatArray, Picture

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "TIFF": "image/tiff"}
DEEP = phantom_xray(3, 200, 160)
GRAY = np.asarray(DEEP >> 4, dtype=np.uint8)
DECODE = PIPELINES["chest_xray/cnn"][:1]


def read(tmp_path: Path, data: bytes, media_type: str) -> tuple[FloatArray, list[str]]:
    path, sheet = tmp_path / "picture", Sheet()
    path.write_bytes(data)
    picture = run_steps(path, media_type, DECODE, sheet)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1
    return picture.pixels, [note.code for note in sheet.quality]


def save(image: Image.Image, file_format: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=file_format, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        *(("PNG", mode) for mode in ("L", "RGB", "RGBA", "LA", "P")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("TIFF", mode) for mode in ("L", "RGB", "RGBA", "LA", "P", "CMYK")),
    ],
)
def test_modes(tmp_path: Path, file_format: str, mode: str) -> None:
    how = {"quality": 95} if file_format == "JPEG" else {}
    data = save(Image.fromarray(GRAY).convert(mode), file_format, **how)
    pixels, notes = read(tmp_path, data, TYPES[file_format])
    assert np.abs(pixels - GRAY / 255).max() < (0.1 if file_format == "JPEG" else 0.01)
    assert notes == []


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize(("bits", "shift"), [(10, -2), (12, 0), (16, 4)])
def test_sixteen_bits_of_any_depth(tmp_path: Path, file_format: str, bits: int, shift: int) -> None:
    values = DEEP << shift if shift >= 0 else DEEP >> -shift
    pixels, _ = read(tmp_path, files.picture(values.astype(np.uint16), file_format), TYPES[file_format])
    assert np.abs(pixels - values / (2**bits - 1)).max() < 1e-3


def test_tiff_of_floating_point(tmp_path: Path) -> None:
    pixels, _ = read(tmp_path, files.picture(DEEP.astype(np.float32), "TIFF"), "image/tiff")
    assert pixels.max() == 1
    broken = DEEP.astype(np.float32)
    broken[5, 5] = np.nan
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, files.picture(broken, "TIFF"), "image/tiff")
    assert caught.value.code == "input_unreadable"


def test_tiff_white_is_zero_with_8_bits(tmp_path: Path) -> None:
    """Pillow turns these round itself, when it writes and when it reads."""
    pixels, notes = read(tmp_path, save(Image.fromarray(GRAY), "TIFF", tiffinfo={262: 0}), "image/tiff")
    assert np.abs(pixels - GRAY / 255).max() < 1e-3
    assert notes == []


def test_tiff_white_is_zero_with_16_bits(tmp_path: Path) -> None:
    values = DEEP * np.uint16(16)
    pixels, notes = read(tmp_path, save(Image.fromarray(values), "TIFF", tiffinfo={262: 0}), "image/tiff")
    assert np.abs(pixels - (1 - values / 65_535)).max() < 1e-3
    assert notes == ["quality.inverted"]


def test_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    pixels, _ = read(tmp_path, save(Image.fromarray(GRAY), "JPEG", exif=exif, quality=95), "image/jpeg")
    assert pixels.shape == (160, 200)
    assert np.abs(pixels - np.rot90(GRAY, -1) / 255).mean() < 0.02


def test_transparent_is_black(tmp_path: Path) -> None:
    image = Image.fromarray(GRAY).convert("RGBA")
    image.putalpha(0)
    pixels, _ = read(tmp_path, save(image, "PNG"), "image/png")
    assert pixels.max() == 0


def test_colour_is_noted_and_pages_are_counted(tmp_path: Path) -> None:
    photo = Image.fromarray(photograph_like(1, 120, 160))
    assert read(tmp_path, save(photo, "PNG"), "image/png")[1] == ["quality.colour"]
    pages = save(Image.fromarray(GRAY), "TIFF", save_all=True, append_images=[Image.fromarray(GRAY)])
    assert read(tmp_path, pages, "image/tiff")[1] == ["quality.first_page"]


def test_a_picture_bomb_is_refused_unopened(tmp_path: Path) -> None:
    data = files.huge_png()
    assert len(data) < 2**21
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, data, "image/png")
    assert caught.value.code == "image_too_large"


def test_another_format_under_the_type(tmp_path: Path) -> None:
    with pytest.raises(InputRejected) as caught:
        read(tmp_path, b"GIF89a" + bytes(100), "image/png")
    assert caught.value.code == "input_unreadable"


@pytest.mark.parametrize(
    ("pixels", "code"),
    [
        (np.ones((100, 300), np.float32), "image_too_small"),
        (np.full((300, 300), 0.4, np.float32), "image_blank"),
    ],
)
def test_unusable(pixels: FloatArray, code: str) -> None:
    with pytest.raises(InputRejected) as caught:
        check_image(Picture(pixels), Sheet(), min_side=128)
    assert caught.value.code == code


def test_doubtful() -> None:
    sheet = Sheet()
    ramp = np.linspace(0.4, 0.5, 200 * 200, dtype=np.float32).reshape(200, 200)
    check_image(Picture(ramp), sheet, min_side=128)
    assert [note.code for note in sheet.quality] == ["quality.low_contrast", "quality.small"]
