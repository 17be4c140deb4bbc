"""DICOM: the gate before anything is unpacked, then the pixels as a radiologist would see them.

Facts, each only when well formed: `patient_id`, `age_years`, `sex` (F, M, O), `view`, `body_part`, `device`, `site`,
`acquired_at` (ISO 8601 with offset), `study_uid`, `sop_uid`.
"""

import re
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom import config
from pydicom.dataset import FileDataset
from pydicom.filereader import _read_file_meta_info, dcmread, read_preamble
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from shared.errors import InputRejected
from shared.transforms.dicom_facts import clean, header_facts
from shared.transforms.dicom_tones import to_brightness
from shared.transforms.pipeline import Sheet
from shared.transforms.values import FloatArray, Picture

# All that numpy and the pylibjpeg plugins decode.
_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
_LOSSY = {
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
}
_COMPRESSED = _LOSSY | {
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.5",  # RLE
}
_PROJECTION = {"CR", "DX", "DR", "RG"}
_CHEST = re.compile(r"CHEST|THORA|TORA[XKC]|LUNG|PULMO|POUMON|\bRIBS?\b")
_UNSAID = {"", "UNKNOWN", "OTHER", "UNDEFINED", "NONE"}
_PHOTOMETRIC = re.compile(r"MONOCHROME[12]|PALETTE COLOR|RGB|YBR_\w+")
_MAX_PIXELS = 50_000_000
_MAX_BYTES = 160_000_000  # unpacked: 50 million pixels of 16 bits, and a generous header
_CHUNK = 1 << 20

# Values that the standard forbids are frequent and harmless here: every fact is checked where it is used.
config.settings.reading_validation_mode = config.IGNORE


def read_dicom(path: Path, sheet: Sheet) -> Picture:
    """Read one projection X-ray of the chest: `Picture` with 1 = white, bones bright.

    Modality LUT, then VOI LUT or window, then MONOCHROME1 turned round (PS3.3 C.11.2, C.7.6.3.1.2; PS3.4 N.2).
    Without a window the scale is that of the pixels (0.1st to 99.9th percentile).

    Raises InputRejected: dicom_is_directory, dicom_transfer_syntax_unsupported, dicom_too_large, dicom_no_pixels,
    dicom_modality_unsupported, body_part_not_chest, dicom_multiframe, input_truncated.
    """
    with path.open("rb") as file:
        _gate_transfer(file)
    dataset = dcmread(path, force=True)
    _name_syntax(dataset)
    _gate_content(dataset)
    _gate_size(dataset)
    sheet.facts |= header_facts(dataset)
    _note(dataset, sheet)
    pixels = _gray(dataset, pixel_array(dataset), sheet)
    return Picture(to_brightness(dataset, pixels, sheet))


def _gate_transfer(file: BinaryIO) -> None:
    """The file meta group alone: is it an image at all, and packed in a way that is safe to unpack?"""
    read_preamble(file, force=True)
    meta = _read_file_meta_info(file)
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise InputRejected("dicom_is_directory")
    syntax = meta.get("TransferSyntaxUID")
    if syntax is not None and syntax not in _NATIVE | _COMPRESSED:
        raise InputRejected("dicom_transfer_syntax_unsupported")
    if syntax == DeflatedExplicitVRLittleEndian:
        _gate_deflated(file)


def _gate_deflated(file: BinaryIO) -> None:
    """Inflate once, keeping nothing: pydicom has no limit (a file of 389 kB took it to 810 MB)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    pending = file.read(_CHUNK)
    while pending and not inflater.eof:
        total += len(inflater.decompress(pending, _CHUNK))
        if total > _MAX_BYTES:
            raise InputRejected("dicom_too_large")
        pending = inflater.unconsumed_tail or file.read(_CHUNK)
    if not inflater.eof:
        raise InputRejected("input_truncated")


def _name_syntax(dataset: FileDataset) -> None:
    """A file without the meta group says nothing about its syntax; pydicom found out while it read."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit = dataset.original_encoding[0]
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _gate_content(dataset: FileDataset) -> None:
    """What the header says the object is. A header that says nothing about modality or body part is accepted."""
    if "DirectoryRecordSequence" in dataset:
        raise InputRejected("dicom_is_directory")
    if not {"PixelData", "Rows", "Columns"} <= set(dataset.dir()):
        raise InputRejected("dicom_no_pixels")
    modality = clean(dataset.get("Modality"), 16) or ""
    if modality and modality.upper() not in _PROJECTION:
        raise InputRejected("dicom_modality_unsupported", modality=modality)
    body_part = (clean(dataset.get("BodyPartExamined"), 64) or "").upper()
    if body_part not in _UNSAID and not _CHEST.search(body_part):
        raise InputRejected("body_part_not_chest", body_part=body_part)
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise InputRejected("dicom_multiframe")


def _gate_size(dataset: FileDataset) -> None:
    """Size by the header, before decoding; and for unpacked pixels whether they are all there."""
    samples, bits = int(dataset.get("SamplesPerPixel") or 1), int(dataset.BitsAllocated)
    count = int(dataset.Rows) * int(dataset.Columns)
    if samples not in (1, 3) or bits not in (8, 16, 32) or not _PHOTOMETRIC.fullmatch(_photometric(dataset)):
        raise InputRejected("input_unreadable")
    if count > _MAX_PIXELS or count * samples * bits // 8 > _MAX_BYTES:
        raise InputRejected("dicom_too_large")
    native = dataset.file_meta.get("TransferSyntaxUID") not in _COMPRESSED
    subsampled = "422" in _photometric(dataset)
    if native and not subsampled and len(dataset.PixelData or b"") < count * samples * bits // 8:
        raise InputRejected("input_truncated")


def _photometric(dataset: FileDataset) -> str:
    return str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip()


def _note(dataset: FileDataset, sheet: Sheet) -> None:
    lossy = dataset.get("LossyImageCompression") == "01"
    if lossy or dataset.file_meta.get("TransferSyntaxUID") in _LOSSY:
        sheet.note("quality.lossy")
    if str(dataset.get("BurnedInAnnotation") or "").upper() == "YES":
        sheet.note("quality.burned_in")


def _gray(dataset: FileDataset, pixels: npt.NDArray[np.generic], sheet: Sheet) -> FloatArray:
    """(rows, columns) float32 in the units of the modality; colour as luminance (ITU-R 601)."""
    if _photometric(dataset) == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    if pixels.ndim == 3:
        sheet.note("quality.colour")
        return pixels[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(apply_modality_lut(pixels, dataset), dtype=np.float32)
