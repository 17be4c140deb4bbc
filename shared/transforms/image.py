"""Pictures: from a PNG, JPEG, TIFF or DICOM file to brightness in [0, 1]."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from shared.errors import InputRejected
from shared.transforms.dicom import read_dicom
from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Picture, Source

MAX_PIXELS = 50_000_000  # the largest detectors have 20 million
# Naming the readers loads them now: a child that has given up its rights should import nothing any more.
_FORMATS = {
    "image/png": PngImagePlugin.PngImageFile.format,
    "image/jpeg": JpegImagePlugin.JpegImageFile.format,
    "image/tiff": TiffImagePlugin.TiffImageFile.format,
}
Image.preinit()
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}
_WHITE_IS_ZERO = 0
_PHOTOMETRIC = 262
_COLOUR_DIFFERENCE = 24  # of 255: more than what JPEG does to a gray picture
_COLOUR_SHARE = 0.02
_BLANK, _LOW_CONTRAST = 0.02, 0.25  # spread between the 1st and the 99th percentile
_SMALL_SIDE = 256


@transform
def decode_image(source: Source, sheet: Sheet) -> Picture:
    """Read a chest X-ray from PNG, JPEG or TIFF (8 or 16 bit; gray, colour, palette, alpha) or from DICOM.

    The first page of several; EXIF orientation applied; colour turned into luminance (ITU-R 601); 16-bit values are
    divided by the full scale of their own depth (the smallest of 8, 10, 12, 14, 15, 16 bits that holds the maximum).
    Facts: `width`, `height` (pixels), and from DICOM those of `dicom.py`.

    Raises InputRejected: image_too_large (more than 50 million pixels, before anything is unpacked), input_truncated,
    input_unreadable, and for DICOM what `read_dicom` raises.
    """
    if source.media_type == "application/dicom":
        picture = read_dicom(source.path, sheet)
    else:
        picture = _read_picture(source, sheet)
    if not np.isfinite(picture.pixels).all():
        raise InputRejected("input_unreadable")
    height, width = picture.pixels.shape
    sheet.facts |= {"width": width, "height": height}
    return picture


@transform
def check_image(picture: Picture, sheet: Sheet, *, min_side: int) -> Picture:
    """Reject a picture that nobody could judge, note a doubtful one.

    Facts: `brightness` (mean), `contrast` (1st to 99th percentile), both in [0, 1]; `side`, the shorter one in pixels.

    Raises InputRejected: image_too_small (a side below `min_side` pixels), image_blank (99 % within 2 % of the scale).
    """
    height, width = picture.pixels.shape
    if min(height, width) < min_side:
        raise InputRejected("image_too_small", width=width, height=height, minimum=min_side)
    sparse = picture.pixels[:: max(1, height // 512), :: max(1, width // 512)]
    low, high = np.percentile(sparse, [1, 99])
    if high - low < _BLANK:
        raise InputRejected("image_blank")
    sheet.facts |= {
        "brightness": float(sparse[::2, ::2].mean()),
        "contrast": float(high - low),
        "side": min(height, width),
    }
    if high - low < _LOW_CONTRAST:
        sheet.note("quality.low_contrast")
    if min(height, width) < _SMALL_SIDE:
        sheet.note("quality.small", width=width, height=height)
    return picture


def _read_picture(source: Source, sheet: Sheet) -> Picture:
    try:
        with Image.open(source.path, formats=[_FORMATS[source.media_type]]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputRejected("image_too_large")
            if getattr(image, "n_frames", 1) > 1:
                sheet.note("quality.first_page")
            image.load()
            return Picture(_brightness(image, sheet))
    except Image.DecompressionBombError:
        raise InputRejected("image_too_large") from None


def _brightness(image: Image.Image, sheet: Sheet) -> FloatArray:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP:
        return _deep(np.asarray(upright), inverted=_is_inverted(image), sheet=sheet)
    gray = upright if upright.mode == "L" else _luminance(upright, sheet)
    return np.asarray(gray, dtype=np.float32) / np.float32(255)


def _luminance(image: Image.Image, sheet: Sheet) -> Image.Image:
    """Any 8-bit mode as gray; what is transparent is shown on black."""
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        solid = image.convert("RGBA")
        image = Image.new("RGBA", solid.size, (0, 0, 0, 255))
        image.alpha_composite(solid)
    if image.mode in ("1", "LA"):
        return image.convert("L")
    colour = image.convert("RGB")
    if _is_colourful(np.asarray(colour)):
        sheet.note("quality.colour")
    return colour.convert("L")


def _is_colourful(pixels: npt.NDArray[np.uint8]) -> bool:
    sparse = pixels[:: max(1, pixels.shape[0] // 256), :: max(1, pixels.shape[1] // 256)].astype(np.int16)
    return bool(np.mean(np.ptp(sparse, axis=2) > _COLOUR_DIFFERENCE) > _COLOUR_SHARE)


def _is_inverted(image: Image.Image) -> bool:
    """TIFF's WhiteIsZero, which Pillow undoes for 8 bits only."""
    return getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _deep(pixels: npt.NDArray[np.generic], *, inverted: bool, sheet: Sheet) -> FloatArray:
    """16 bits, 32 bits or floating point to [0, 1]."""
    values = pixels.astype(np.float32)
    low, high = min(float(values.min()), 0.0), float(values.max())
    whole = pixels.dtype.kind in "iu" and low == 0
    offset, scale = (0.0, _full_scale(high)) if whole else (low, max(high - low, 1e-9))
    values = (values - np.float32(offset)) / np.float32(scale)
    if inverted:
        sheet.note("quality.inverted")
        return np.float32(1) - values
    return values


def _full_scale(maximum: float) -> float:
    """Of the depths that detectors and exports use, the smallest that holds the maximum."""
    depths = [float(2**bits - 1) for bits in (8, 10, 12, 14, 15, 16)]
    return next((scale for scale in depths if maximum <= scale), max(maximum, 1.0))
