"""DICOM files made from generated pixels, well formed and otherwise, for samples and tests. No patient in them."""

import io
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    generate_uid,
)

_BOMB_BYTES = 200_000_000


def dicom_bytes(
    pixels: npt.NDArray[np.uint16] | None, *, syntax: str = ExplicitVRLittleEndian, bits: int = 12, **header: Any
) -> bytes:
    """A CR image of the chest as a file: `pixels` (rows, columns) uint16 of `bits` bits, or none at all.

    `header` sets elements by keyword; None leaves one out. The pixels are written as they are: a compressed `syntax`
    needs `PixelData` in the header, already encapsulated.
    """
    dataset = _header()
    if pixels is not None:
        _put_pixels(dataset, pixels, bits)
    for keyword, value in header.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)
    return _write(dataset, syntax)


def deflate_bomb() -> bytes:
    """A DICOM file of about 200 kB that inflates to 200 MB (transfer syntax 1.2.840.10008.1.2.1.99)."""
    meta = _write(Dataset(), DeflatedExplicitVRLittleEndian)
    body = _write(_header(), ExplicitVRLittleEndian)
    start = len(_write(Dataset(), ExplicitVRLittleEndian))
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = [deflater.compress(body[start:])]
    packed.append(deflater.compress(b"\xe0\x7f\x10\x00OW\0\0" + _BOMB_BYTES.to_bytes(4, "little")))
    packed += [deflater.compress(bytes(1_000_000)) for _ in range(_BOMB_BYTES // 1_000_000)]
    return meta[: _meta_length(meta)] + b"".join(packed) + deflater.flush()


def dicomdir() -> bytes:
    """An empty index of a disc (PS3.3 F): a DICOM file, but no image."""
    dataset = Dataset()
    dataset.FileSetID = "SYNTHETIC"
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.FileSetConsistencyFlag = 0
    dataset.DirectoryRecordSequence = []
    return _write(dataset, ExplicitVRLittleEndian, MediaStorageDirectoryStorage)


def _header() -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = _uid("instance")
    dataset.StudyInstanceUID = _uid("study")
    dataset.SeriesInstanceUID = _uid("series")
    dataset.Modality = "CR"
    dataset.Manufacturer = "Synthetic"
    dataset.ManufacturerModelName = "Phantom"
    dataset.PatientID = "SYNTHETIC-1"
    dataset.PatientName = "Synthetic^Phantom"
    dataset.PatientAge = "045Y"
    dataset.PatientSex = "O"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = "PA"
    dataset.StudyDate = "20260102"
    dataset.StudyTime = "030405"
    dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


def _put_pixels(dataset: Dataset, pixels: npt.NDArray[np.uint16], bits: int) -> None:
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.astype("<u2").tobytes()


def _write(dataset: Dataset, syntax: str, sop_class: str = ComputedRadiographyImageStorage) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = _uid("instance")
    meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta = meta
    file = io.BytesIO()
    # An unknown syntax is written as explicit little endian, as the standard demands of every compressed one.
    known = meta.TransferSyntaxUID.is_transfer_syntax
    how = {} if known else {"implicit_vr": False, "little_endian": True}
    dcmwrite(file, dataset, enforce_file_format=True, **how)
    return file.getvalue()


def _meta_length(file: bytes) -> int:
    """Where the dataset starts: the group length element of the file meta counts from its own end (PS3.10 7.1)."""
    return 144 + int.from_bytes(file[140:144], "little")


def _uid(name: str) -> UID:
    return generate_uid(entropy_srcs=["thoracle synthetic", name])
