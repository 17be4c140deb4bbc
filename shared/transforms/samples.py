"""One generated file for every outcome, with the outcome beside it: for integrators and for the tests."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from shared.schemas import Modality
from shared.sentences import say
from shared.transforms import sample_files as files
from shared.transforms import sample_phones as phones
from shared.transforms.synthetic_dicom import deflate_bomb, dicomdir

Status = Literal["succeeded", "rejected", "refused"]
_HTTP_ACCEPTED = 202
_COLUMNS = ("file", "modality", "status", "http", "code", "sentence")

XRAY, COUGH, LUNG = Modality.CHEST_XRAY, Modality.COUGH, Modality.LUNG_SOUND


@dataclass(frozen=True)
class Sample:
    """A file and what becomes of it when it is submitted as `modality`.

    `status`: `succeeded` and `rejected` are states of the job (HTTP 202); `refused` means that no job is made and the
    gateway answers `http`. `code` and `sentence` say why; they are empty for `succeeded`.
    """

    file: str
    modality: Modality
    status: Status
    http: int
    code: str
    sentence: str


def write_samples(folder: Path) -> list[Sample]:
    """Write every sample and `expected.csv` (the columns of `Sample`) into `folder`, made if absent. About 3 s.

    All of it is synthetic. Files of these names are overwritten; names and order never change. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, _, write, _ in _SAMPLES:
        (folder / file).write_bytes(write())
    samples = [_sample(file, modality, outcome) for file, modality, _, outcome in _SAMPLES]
    with (folder / "expected.csv").open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerows([getattr(sample, column) for column in _COLUMNS] for sample in samples)
    return samples


@dataclass(frozen=True)
class _Outcome:
    status: Status
    code: str = ""
    values: tuple[tuple[str, float | str], ...] = ()
    http: int = _HTTP_ACCEPTED


def _rejected(code: str, **values: float | str) -> _Outcome:
    return _Outcome("rejected", code, tuple(values.items()))


def _sample(file: str, modality: Modality, outcome: _Outcome) -> Sample:
    sentence = say(outcome.code, **dict(outcome.values)) if outcome.code else ""
    return Sample(file, modality, outcome.status, outcome.http, outcome.code, sentence)


_DONE = _Outcome("succeeded")
_EMPTY = _Outcome("refused", "input_empty", http=422)
_UNKNOWN = _Outcome("refused", "input_type_unknown", http=415)
_CUT = _rejected("input_truncated")
_BROKEN = _rejected("input_unreadable")

_SAMPLES: tuple[tuple[str, Modality, Callable[[], bytes], _Outcome], ...] = (
    # Three good ones, then every other kind of file that is read.
    ("chest_xray.dcm", XRAY, files.xray_dicom, _DONE),
    ("cough.wav", COUGH, lambda: files.cough("WAV"), _DONE),
    ("lung_sound.wav", LUNG, lambda: files.lung_sound("WAV"), _DONE),
    ("chest_xray.png", XRAY, lambda: files.xray("PNG"), _DONE),
    ("chest_xray_16bit.png", XRAY, files.xray_deep_png, _DONE),
    ("chest_xray.jpg", XRAY, lambda: files.xray("JPEG"), _DONE),
    ("chest_xray.tif", XRAY, lambda: files.xray("TIFF"), _DONE),
    ("chest_xray_monochrome1.dcm", XRAY, files.xray_inverted, _DONE),
    ("cough.flac", COUGH, lambda: files.cough("FLAC"), _DONE),
    ("cough.mp3", COUGH, lambda: files.cough("MP3"), _DONE),
    ("cough.ogg", COUGH, lambda: files.cough("OGG"), _DONE),
    ("cough_one_loud_channel.wav", COUGH, files.cough_stereo, _DONE),
    ("lung_sound_wheeze.flac", LUNG, lambda: files.lung_sound("FLAC", wheeze=True), _DONE),
    ("lung_sound.mp3", LUNG, lambda: files.lung_sound("MP3", rate=8000), _DONE),
    ("lung_sound.ogg", LUNG, lambda: files.lung_sound("OGG", rate=8000), _DONE),
    # As phones and browsers record.
    ("cough.aiff", COUGH, lambda: files.cough("AIFF"), _DONE),
    *((f"cough.{ending}", COUGH, partial(phones.cough, ending), _DONE) for ending in phones.PHONES),
    ("lung_sound.aiff", LUNG, lambda: files.lung_sound("AIFF"), _DONE),
    *((f"lung_sound.{ending}", LUNG, partial(phones.lung_sound, ending), _DONE) for ending in phones.PHONES),
    # Not what it should be, but readable: a good version refers these to a person.
    ("photograph.jpg", XRAY, files.photograph, _DONE),
    ("music.wav", COUGH, files.music, _DONE),
    ("speech.wav", LUNG, files.speech, _DONE),
    # Refused by the gateway.
    ("empty.png", XRAY, lambda: b"", _EMPTY),
    ("report.pdf", XRAY, lambda: b"%PDF-1.4\n% synthetic\n%%EOF\n", _UNKNOWN),
    ("archive.zip", XRAY, files.archive, _UNKNOWN),
    ("text_renamed.png", XRAY, lambda: b"This is a text, not a picture.\n" * 20, _UNKNOWN),
    # Damaged.
    ("truncated.png", XRAY, lambda: files.half(files.xray("PNG")), _CUT),
    ("truncated.jpg", XRAY, lambda: files.half(files.xray("JPEG")), _CUT),
    ("truncated.dcm", XRAY, lambda: files.half(files.xray_dicom()), _CUT),
    ("truncated.wav", COUGH, lambda: files.half(files.cough("WAV")), _CUT),
    ("truncated.flac", COUGH, lambda: files.half(files.cough("FLAC")), _CUT),
    ("damaged.png", XRAY, files.damaged_png, _BROKEN),
    # Pictures.
    ("huge_50000x50000.png", XRAY, files.huge_png, _rejected("image_too_large")),
    ("tiny.png", XRAY, files.tiny_png, _rejected("image_too_small", width=64, height=48, minimum=128)),
    ("blank.png", XRAY, files.blank_png, _rejected("image_blank")),
    # DICOM.
    ("deflate_bomb.dcm", XRAY, deflate_bomb, _rejected("dicom_too_large")),
    ("dicom_too_large.dcm", XRAY, files.xray_oversized, _rejected("dicom_too_large")),
    ("dicom_without_pixels.dcm", XRAY, files.xray_without_pixels, _rejected("dicom_no_pixels")),
    (
        "knee.dcm",
        XRAY,
        lambda: files.xray_dicom(BodyPartExamined="KNEE"),
        _rejected("body_part_not_chest", body_part="KNEE"),
    ),
    (
        "mammogram.dcm",
        XRAY,
        lambda: files.xray_dicom(Modality="MG"),
        _rejected("dicom_modality_unsupported", modality="MG"),
    ),
    (
        "unknown_transfer_syntax.dcm",
        XRAY,
        files.xray_unknown_syntax,
        _rejected("dicom_transfer_syntax_unsupported"),
    ),
    ("DICOMDIR", XRAY, dicomdir, _rejected("dicom_is_directory")),
    ("multiframe.dcm", XRAY, files.xray_multiframe, _rejected("dicom_multiframe")),
    # Sound.
    ("not_a_number.wav", COUGH, files.cough_with_nan, _rejected("audio_not_finite")),
    ("silence.wav", COUGH, files.silence, _rejected("audio_silent")),
    ("clipped.wav", COUGH, files.cough_clipped, _rejected("audio_clipped")),
    (
        "short_0.2s.wav",
        COUGH,
        lambda: files.cough("WAV", seconds=0.2),
        _rejected("audio_too_short", seconds=0.2, minimum=0.5),
    ),
    ("long_31s.flac", COUGH, files.cough_long, _rejected("audio_too_long", maximum=30)),
    (
        "rate_2khz.wav",
        LUNG,
        lambda: files.lung_sound("WAV", rate=2000),
        _rejected("audio_rate_too_low", rate=2000, minimum=4000),
    ),
    ("four_channels.wav", COUGH, files.four_channels, _rejected("audio_channels", channels=4)),
    ("film_without_sound.mp4", COUGH, phones.film_without_sound, _rejected("audio_no_sound")),
    ("truncated.m4a", COUGH, lambda: files.half(phones.cough("m4a")), _CUT),
    ("mu_law.wav", COUGH, files.mu_law, _rejected("audio_encoding_unsupported", encoding="ULAW")),
)
