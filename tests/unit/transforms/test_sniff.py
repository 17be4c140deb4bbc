"""The media type comes from content alone."""

import pytest

from shared.schemas import Modality
from shared.sniff import HEAD_BYTES, MEDIA_TYPES, id3_length, modalities_of, mpeg_frame_length, read_by, sniff
from shared.transforms import sample_files as files
from shared.transforms import sample_phones as phones
from shared.transforms.synthetic_dicom import dicomdir

MP3_FRAME = bytes([0xFF, 0xFB, 0x90, 0x00])  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (files.xray("PNG"), "image/png"),
        (files.xray("JPEG"), "image/jpeg"),
        (files.xray("TIFF"), "image/tiff"),
        (files.xray_dicom(), "application/dicom"),
        (dicomdir(), "application/dicom"),
        (files.xray_dicom()[132:], "application/dicom"),
        (files.cough("WAV"), "audio/wav"),
        (files.cough("RF64"), "audio/wav"),
        (files.cough("FLAC"), "audio/flac"),
        (files.cough("MP3"), "audio/mpeg"),
        (files.cough("OGG"), "audio/ogg"),
        (files.cough("AIFF"), "audio/aiff"),
        (phones.cough("m4a"), "audio/mp4"),
        (phones.cough("3gp"), "audio/mp4"),
        (phones.cough("webm"), "audio/webm"),
        (phones.cough("mka"), "audio/matroska"),
        (phones.cough("aac"), "audio/aac"),
        (phones.cough("amr"), "audio/amr"),
        (phones.cough("caf"), "audio/x-caf"),
        (b"#!AMR-WB\n" + bytes(60), "audio/amr"),
        (b"ID3\x04\0\0\0\0\0\x05" + bytes(5) + phones.cough("aac"), "audio/aac"),
        (b"ID3\x04\0\0\0\0\x7f\x7f" + bytes(4000), "audio/mpeg"),
        (b"II*\0" + bytes(124) + b"DICM", "application/dicom"),
    ],
)
def test_known_content(data: bytes, expected: str) -> None:
    assert sniff(data[:HEAD_BYTES]) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 4096,
        b"\xff" * 4096,
        b"%PDF-1.7",
        files.archive(),
        b"plain text, of the length of a header or two" * 9,
        "a text in UTF-16".encode("utf-16"),
        b"GIF89a",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0AVI LIST",
        MP3_FRAME + bytes(4092),
        b"\xff\xf1\x50\x80" + bytes(400),  # AAC in ADTS with a frame of no length
        b"\0\0\0\x18ftypheic" + bytes(12) + b"mif1heic",
        b"\0\0\0\x1cftypavif" + bytes(16),
        b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01" + bytes(60),  # EBML that does not say what it is
        b"#!AMR_MC1.0\n" + bytes(60),
        b"#!/bin/sh\n",
        b"FORM\0\0\0\x0c8SVX" + bytes(60),
        b"MZ" + bytes(126) + b"DICM",
        b"\x7fELF" + bytes(124) + b"DICM",
        b"\x89PNG\r\n\x1a\n" + bytes(120) + b"DICM",
    ],
)
def test_foreign_content(data: bytes) -> None:
    assert sniff(data[:HEAD_BYTES]) is None


def test_mpeg_needs_a_second_frame() -> None:
    assert mpeg_frame_length(MP3_FRAME) == 417
    assert sniff(MP3_FRAME + bytes(413) + MP3_FRAME) == "audio/mpeg"
    assert sniff(MP3_FRAME + bytes(412) + MP3_FRAME + bytes(4)) is None


def test_id3_length_counts_header_and_footer() -> None:
    assert id3_length(b"ID3\x04\0\x10\0\0\x01\x00") == 10 + 128 + 10
    assert id3_length(b"ID3\x04\0\0\x80\0\0\0") == 0


def test_modalities() -> None:
    assert modalities_of("audio/ogg") == (Modality.COUGH, Modality.LUNG_SOUND)
    assert modalities_of("application/dicom") == (Modality.CHEST_XRAY,)
    assert modalities_of("text/plain") == ()
    assert all(modalities_of(media_type) for media_type in MEDIA_TYPES)


def test_a_card_of_before_phones_reads_phones_unless_it_takes_nothing_lossy() -> None:
    older = ["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg"]
    assert read_by(older)[:4] == tuple(older)
    assert {"audio/mp4", "audio/webm", "audio/x-caf"} < set(read_by(older))
    assert len(set(read_by(older))) == len(read_by(older))
    assert read_by(["audio/wav", "audio/flac"]) == ("audio/wav", "audio/flac")
    assert read_by(["image/png"]) == ("image/png",)
