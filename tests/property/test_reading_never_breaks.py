"""Whatever the bytes: sniffing never raises, and reading either succeeds or says why not."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import InputRejected
from shared.schemas import Modality
from shared.sentences import EN
from shared.sniff import HEAD_BYTES, MEDIA_TYPES, modalities_of, sniff
from shared.transforms import sample_files as files
from shared.transforms import sample_phones as phones
from shared.transforms.pipeline import prepare
from shared.transforms.pipelines import REFERENCE
from shared.transforms.synthetic import phantom_xray
from shared.transforms.synthetic_dicom import dicom_bytes

PHONE_TYPES = {
    "m4a": "audio/mp4",
    "mp4": "audio/mp4",
    "3gp": "audio/mp4",
    "webm": "audio/webm",
    "mka": "audio/matroska",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "caf": "audio/x-caf",
}
SMALL = phantom_xray(1, 140, 130)
GOOD = {
    "image/png": files.picture(SMALL, "PNG"),
    "image/jpeg": files.picture(np.asarray(SMALL >> 4, dtype=np.uint8), "JPEG"),
    "image/tiff": files.picture(SMALL, "TIFF"),
    "application/dicom": dicom_bytes(SMALL),
    "application/dicom deflated": dicom_bytes(SMALL, syntax="1.2.840.10008.1.2.1.99"),
    "audio/wav": files.cough("WAV", seconds=1.0),
    "audio/flac": files.cough("FLAC", seconds=1.0),
    "audio/mpeg": files.cough("MP3", seconds=1.0),
    "audio/ogg": files.cough("OGG", seconds=1.0),
    "audio/aiff": files.cough("AIFF", seconds=1.0),
    **{f"{PHONE_TYPES[ending]} {ending}": phones.cough(ending) for ending in phones.PHONES},
}
MAGIC = [data[:140] for data in GOOD.values()]

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "input"


def read(path: Path, data: bytes, media_type: str) -> None:
    """Any exception but InputRejected fails the test."""
    path.write_bytes(data)
    modality = modalities_of(media_type)[0]
    problem = None
    try:
        assert np.isfinite(prepare(path, media_type, REFERENCE[modality]).tensor).all()
    except InputRejected as rejected:
        problem = rejected
    assert problem is None or (problem.code in EN and "{" not in problem.detail)


@given(st.binary(max_size=HEAD_BYTES))
def test_sniff_takes_any_bytes(data: bytes) -> None:
    assert sniff(data) in (None, *MEDIA_TYPES)


@given(st.sampled_from(MAGIC), st.binary(max_size=600), st.integers(0, 140))
def test_sniff_takes_any_bytes_behind_a_signature(magic: bytes, data: bytes, keep: int) -> None:
    assert sniff(magic[:keep] + data) in (None, *MEDIA_TYPES)


@few
@given(kind=st.sampled_from(sorted(GOOD)), share=st.floats(0, 1))
def test_any_truncation(scratch: Path, kind: str, share: float) -> None:
    data = GOOD[kind]
    read(scratch, data[: int(share * len(data))], kind.split()[0])


@few
@given(kind=st.sampled_from(sorted(GOOD)), at=st.floats(0, 0.999), noise=st.binary(min_size=1, max_size=64))
def test_any_damage(scratch: Path, kind: str, at: float, noise: bytes) -> None:
    data = bytearray(GOOD[kind])
    start = int(at * len(data))
    data[start : start + len(noise)] = noise
    read(scratch, bytes(data), kind.split()[0])


@few
@given(kind=st.sampled_from(sorted(GOOD)), at=st.integers(0, 1500), value=st.integers(0, 255))
def test_any_byte_of_the_header(scratch: Path, kind: str, at: int, value: int) -> None:
    data = bytearray(GOOD[kind])
    data[min(at, len(data) - 1)] = value
    read(scratch, bytes(data), kind.split()[0])


@few
@given(st.lists(st.floats(width=32), max_size=60) | st.lists(st.floats(-2, 2, width=32), max_size=9))
def test_any_floating_point_sound(scratch: Path, values: list[float]) -> None:
    samples = np.resize(np.array(values or [0.0], np.float32), 8000)
    read(scratch, files.sound(samples, 8000, "WAV", "FLOAT"), "audio/wav")


@few
@given(slope=st.floats(width=64), center=st.floats(width=64), width=st.floats(width=64))
def test_any_tones_of_a_dicom(scratch: Path, slope: float, center: float, width: float) -> None:
    tones: dict[str, Any] = {
        "RescaleSlope": repr(slope),
        "RescaleIntercept": "0",
        "WindowCenter": repr(center),
        "WindowWidth": repr(width),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dicom_bytes(SMALL, **tones)
    read(scratch, data, "application/dicom")


@few
@given(media_type=st.sampled_from(MEDIA_TYPES), data=st.binary(max_size=2000))
def test_any_bytes_under_any_type(scratch: Path, media_type: str, data: bytes) -> None:
    read(scratch, data, media_type)


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "modality"),
    [
        ("cough/covid19_cough/covid", Modality.COUGH),
        ("lung/sprsound/cas", Modality.LUNG_SOUND),
        ("cxr/hannover/covid", Modality.CHEST_XRAY),
        ("cxr/nih_nofinding/normal", Modality.CHEST_XRAY),
    ],
)
def test_truncated_real_files(data: Path, scratch: Path, path: str, modality: Modality) -> None:
    for original in sorted((data / path).iterdir())[:4]:
        whole = original.read_bytes()
        media_type = sniff(whole[:HEAD_BYTES])
        assert media_type is not None
        assert modality in modalities_of(media_type)
        for share in (0.01, 0.4, 0.8, 0.999):
            read(scratch, whole[: int(share * len(whole))], media_type)
